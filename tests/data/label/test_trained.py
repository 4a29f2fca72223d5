"""Functions of kind classifier: the class of a trained model, as one of the labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertForSequenceClassification

from aictl.core.errors import BadInput, BadRequest, Damaged
from aictl.inference.classifying import Classifier

WORDS = ["rain", "clock", "money", "the"]
CLASSES = ("weather", "ALARM", "sport")
TEXTS = ["rain", "clock the", "money the rain", "the", "clock clock clock", "", "unheard"]


@pytest.fixture
def classifier(tmp_path, write_embedder) -> Path:
    """A BERT of one layer with random weights, as transformers saves it."""
    folder = tmp_path / "classifier"
    write_embedder(folder, WORDS)
    (folder / "model.onnx").unlink()
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=4 + len(WORDS), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=12, id2label=dict(enumerate(CLASSES)), initializer_range=1.0,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture
def expected(classifier) -> np.ndarray:
    """What transformers says of TEXTS, one by one."""
    model = AutoModelForSequenceClassification.from_pretrained(classifier).eval()
    tokenizer = AutoTokenizer.from_pretrained(classifier)
    with torch.inference_mode():
        rows = [model(**tokenizer(text, return_tensors="pt")).logits.softmax(dim=1)[0] for text in TEXTS]
    return torch.stack(rows).numpy()


def test_the_probabilities_are_those_of_transformers(classifier, expected):
    found = Classifier(classifier).classify(TEXTS)
    assert np.allclose(found.probabilities, expected, atol=1e-5)
    assert len({int(row) for row in expected.argmax(axis=1)}) > 1
    assert found.truncated == 0
    assert Classifier(classifier).classify(["rain " * 50]).truncated == 1
    assert Classifier(classifier).classify([]).probabilities.shape == (0, 3)


def test_the_likeliest_class_is_voted_for_where_it_is_a_label(open_one, classifier, expected):
    labels = {0: 0, 1: 1, 2: -1}  # sport is no label here
    voter = open_one('kind = "classifier"\nnames = { ALARM = "alarm" }\nmin_probability = 0', classifier=classifier)
    assert voter.vote(TEXTS, 0).tolist() == [labels[int(row)] for row in expected.argmax(axis=1)]
    assert voter.facts() == {"truncated": 0}


def test_nothing_is_said_below_the_least_probability(open_one, classifier, expected):
    least = float(np.median(expected.max(axis=1)))
    toml = f'kind = "classifier"\nnames = {{ ALARM = "alarm", sport = "other" }}\nmin_probability = {least}'
    votes = open_one(toml, classifier=classifier).vote(TEXTS, 0)
    sure = np.round(expected.max(axis=1), 4) >= least
    assert votes.tolist() == np.where(sure, expected.argmax(axis=1), -1).tolist()
    assert 0 < sure.sum() < len(TEXTS)


def test_a_whole_labelling(texts, label, classifier):
    documents = texts([text for text in TEXTS if text] * 4)
    toml = '[functions.known]\nkind = "classifier"\nmin_probability = 0\nnames = { ALARM = "alarm", sport = "other" }\n'
    made = label(documents, toml, classifier=classifier)
    assert made.artifact.record.inputs[-1].role == "classifier"
    assert {one["label"] for one in made.artifact.documents()} <= {"weather", "alarm", "other"}


def test_names_that_nobody_knows(open_one, classifier):
    with pytest.raises(BadInput, match=r"the model has no class 'alarms'"):
        open_one('kind = "classifier"\nnames = { alarms = "alarm" }', classifier=classifier)
    with pytest.raises(BadInput, match="no label is called 'alarms'"):
        open_one('kind = "classifier"\nnames = { ALARM = "alarms" }', classifier=classifier)


def test_no_class_that_is_a_label(open_one, classifier, tmp_path):
    path = classifier / "config.json"
    path.write_text(path.read_text().replace("weather", "Wetter"))
    with pytest.raises(BadInput, match="none of the model's classes is called as a label: Wetter, ALARM, sport"):
        open_one('kind = "classifier"', classifier=classifier)


def test_what_is_no_classifier(open_one, embedder_folder, classifier, tmp_path):
    with pytest.raises(BadRequest, match="needs a model that classifies texts"):
        open_one('kind = "classifier"')
    with pytest.raises(BadRequest, match="--classifier was given, and no function"):
        open_one('kind = "regex"\nlabel = "alarm"\npattern = "x"', classifier=classifier)
    with pytest.raises(BadInput, match="holds no classifier"):
        open_one('kind = "classifier"', classifier=tmp_path)
    with pytest.raises(BadInput, match="not that of a text classifier"):
        open_one('kind = "classifier"', classifier=embedder_folder)
    (classifier / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(Damaged):
        open_one('kind = "classifier"', classifier=classifier)


@pytest.fixture
def embedder_folder(tmp_path, write_embedder) -> Path:
    write_embedder(tmp_path / "embedder", WORDS)
    (tmp_path / "embedder/config.json").write_text('{"architectures": ["BertModel"]}')
    return tmp_path / "embedder"
