"""Classifiers trained here in seconds: what is measured of them is what scikit-learn measures."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.core.errors import BadInput
from aictl.core.events import Events

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is of the extra test")
TOPICS = {
    "weather": "will it rain snow or shine tomorrow in the north wind sun cloud forecast",
    "music": "play the next song louder a piano tune radio album singer melody",
    "alarm": "wake me at seven set stop snooze the alarm clock timer minutes",
}


def save_tokenizer(folder, words):
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return vocabulary


def utterances(count: int, seed: int) -> list[dict[str, str]]:
    """Some words of a topic, and one or two of another."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        label, other = random.choice(list(TOPICS), 2, replace=False)
        words = [*random.choice(TOPICS[label].split(), 3), *random.choice(TOPICS[other].split(), 2)]
        found.append({"text": " ".join(random.permutation(words)), "label": str(label), "source": "test"})
    return found


@pytest.fixture(scope="module")
def text_model(tmp_path_factory) -> Checkpoint:
    """Its classes stand in another order than the dataset's labels."""
    from transformers import BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("texts") / "topics"
    folder.mkdir()
    vocabulary = save_tokenizer(folder, sorted({word for text in TOPICS.values() for word in text.split()}))
    names = ["alarm", "weather", "music", "never"]
    torch.manual_seed(0)
    module = BertForSequenceClassification(
        BertConfig(
            vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=32, id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)},
        )
    )  # fmt: skip
    optimizer = torch.optim.AdamW(module.parameters(), lr=5e-3)
    trained = utterances(256, seed=1)
    ids = torch.tensor([[vocabulary[word] for word in one["text"].split()] for one in trained])
    labels = torch.tensor([names.index(one["label"]) for one in trained])
    for _ in range(30):
        optimizer.zero_grad()
        module(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
    module.save_pretrained(folder)
    return Checkpoint(folder, name="topics")


@pytest.fixture
def topics(write_dataset):
    def make(documents, name="topics") -> Dataset:
        made = write_dataset(name, "text", {"validation": documents})
        labels = {"labels": [{"name": label} for label in TOPICS]}
        (made.folder / "labels.json").write_text(json.dumps(labels))
        return made

    return make


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Dataset:
    """Real handwritten digits, in train and validation."""
    from sklearn.datasets import load_digits

    raw = load_digits()
    folder = tmp_path_factory.mktemp("digits")
    with DatasetWriter(folder, "image") as writer:
        for number, (pixels, label) in enumerate(zip(raw.images, raw.target, strict=True)):
            file = io.BytesIO()
            Image.fromarray((pixels * 15.9).astype(np.uint8)).save(file, "PNG")
            data = file.getvalue()
            row = {"image": f"{number}.png", "size_bytes": len(data), "label": f"digit {label}", "source": str(number)}
            writer.add("validation" if number % 6 == 0 else "train", row, image=data)
    return Dataset(folder, name="digits")


@pytest.fixture(scope="module")
def image_model(digits, tmp_path_factory) -> Checkpoint:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    folder = tmp_path_factory.mktemp("images") / "vit"
    names = [f"digit {number}" for number in range(10)]
    torch.manual_seed(0)
    module = ViTForImageClassification(
        ViTConfig(
            image_size=8, patch_size=4, hidden_size=48, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=96,
            id2label=dict(enumerate(names)), label2id={name: number for number, name in enumerate(names)},
        )
    )  # fmt: skip
    processor = ViTImageProcessorPil(size={"height": 8, "width": 8})
    pairs = list(digits.pictures("train"))
    pictures = [Image.open(io.BytesIO(data)).convert("RGB") for _, data in pairs]
    pixels = torch.tensor(processor(pictures, return_tensors="np")["pixel_values"])
    labels = torch.tensor([names.index(one["label"]) for one, _ in pairs])
    optimizer = torch.optim.AdamW(module.parameters(), lr=2e-3)
    for epoch in range(5):
        for rows in torch.randperm(len(labels), generator=torch.Generator().manual_seed(epoch)).split(64):
            optimizer.zero_grad()
            module(pixel_values=pixels[rows], labels=labels[rows]).loss.backward()
            optimizer.step()
    module.save_pretrained(folder)
    processor.save_pretrained(folder)
    return Checkpoint(folder, name="vit")


def held_against_scikit_learn(made, rows) -> None:
    """From the rows alone."""
    true, predicted = [row["label"] for row in rows], [row["predicted"] for row in rows]
    values = made.values()
    assert values["accuracy"] == pytest.approx(metrics.accuracy_score(true, predicted))
    assert values["macro_f1"] == pytest.approx(metrics.f1_score(true, predicted, average="macro"))
    assert values["log_loss"] == pytest.approx(-np.mean(np.log([row["label_probability"] for row in rows])))
    report = metrics.classification_report(true, predicted, output_dict=True, zero_division=0)
    for one in made.facts["details"]["classes"]:
        assert one["f1"] == pytest.approx(report[one["name"]]["f1-score"])
        assert one["documents"] == report[one["name"]]["support"]


def test_texts(text_model, topics, run, rows):
    documents = utterances(150, seed=2)
    made = run(text_model, topics(documents))
    held_against_scikit_learn(made, rows(made))
    assert 0.6 < made.values()["accuracy"] < 1
    low, high = made.metrics["intervals"]["accuracy"]
    assert low < made.values()["accuracy"] < high
    assert [row["label"] for row in rows(made)] == [one["label"] for one in documents]
    # What was predicted is what plain transformers predicts.
    from transformers import BertForSequenceClassification

    module = BertForSequenceClassification.from_pretrained(text_model.folder).eval()
    tokenizer = Tokenizer.from_file(str(text_model.folder / "tokenizer.json"))
    with torch.inference_mode():
        logits = module(torch.tensor([tokenizer.encode(one["text"]).ids for one in documents])).logits
    names = module.config.id2label
    assert [row["predicted"] for row in rows(made)] == [names[int(best)] for best in logits.argmax(1)]
    assert [row["probability"] for row in rows(made)] == pytest.approx(logits.softmax(1).amax(1).tolist(), abs=1e-5)


def test_pictures(image_model, digits, run, rows):
    made = run(image_model, digits, gate=["accuracy>=0.8"])
    held_against_scikit_learn(made, rows(made))
    assert len(rows(made)) == digits.splits["validation"]
    assert made.exit_code == 0
    assert made.values()["accuracy"] > 0.8
    bands = made.facts["details"]["bands"]
    assert sum(one["documents"] for one in bands) == len(rows(made))


def test_a_model_is_compared_on_the_same_documents(image_model, digits, run, tmp_path):
    """One whose last layer was shaken is worse, and not by chance."""
    from transformers import ViTForImageClassification, ViTImageProcessorPil

    module = ViTForImageClassification.from_pretrained(image_model.folder)
    torch.manual_seed(1)
    module.classifier.weight.data += 0.3 * torch.randn_like(module.classifier.weight)
    module.save_pretrained(tmp_path / "shaken")
    ViTImageProcessorPil.from_pretrained(image_model.folder).save_pretrained(tmp_path / "shaken")
    made = run(image_model, digits, Checkpoint(tmp_path / "shaken", name="shaken"), most=200)
    accuracy = made.facts["measures"][0]
    assert accuracy["difference"]["is_real"]
    assert accuracy["difference"]["value"] > 0
    assert accuracy["difference"]["mcnemar_p_value"] < 0.05
    assert made.facts["documents"] == 200 < made.facts["of"]
    same = run(image_model, digits, image_model, most=200, name="same")
    assert not same.facts["measures"][0]["difference"]["is_real"]


def test_labels_that_the_model_does_not_know_are_named(text_model, topics, run):
    documents = [*utterances(10, seed=3), {"text": "what is that", "label": "question", "source": "t"}]
    with pytest.raises(BadInput, match=r"does not know 1 of the 4 labels.*question.*alarm, weather, music, never"):
        run(text_model, topics(documents))


def test_texts_that_are_cut_are_said(text_model, topics, run):
    told = []
    long = {"text": "rain " * 40, "label": "weather", "source": "t"}
    run(text_model, topics([*utterances(5, seed=3), long]), events=Events(told.append))
    assert "1 texts are longer than topics takes, and were cut" in [getattr(event, "message", "") for event in told]


def test_documents_without_a_label_are_left_out(text_model, topics, run):
    documents = [*utterances(10, seed=3), {"text": "what is that", "label": None, "source": "t"}]
    made = run(text_model, topics(documents))
    assert (made.facts["documents"], made.facts["left_out"]) == (10, 1)
    with pytest.raises(BadInput, match="none of its 1 documents"):
        run(text_model, topics(documents[-1:], "empty"), name="empty")


def test_where_all_are_right_the_interval_is_exact(text_model, topics, run, rows):
    right = [one for one in rows(run(text_model, topics(utterances(60, seed=4)))) if one["right"]][:10]
    documents = [{"text": one["text"], "label": one["label"], "source": "t"} for one in right]
    made = run(text_model, topics(documents, "right"), name="right")
    assert made.metrics["intervals"]["accuracy"] == pytest.approx([0.6915, 1], abs=1e-4)


def test_an_adapter_is_merged_first(text_model, topics, run, rows, tmp_path):
    peft = pytest.importorskip("peft", reason="peft is of the extra finetune")
    from transformers import BertForSequenceClassification

    from aictl.artifacts.adapter import Adapter
    from aictl.core.artifact import InputRecord, Record

    torch.manual_seed(2)
    module = BertForSequenceClassification.from_pretrained(text_model.folder)
    wrapped = peft.get_peft_model(
        module, peft.LoraConfig(task_type="SEQ_CLS", r=4, init_lora_weights=False, target_modules=["query", "value"])
    ).eval()
    wrapped.save_pretrained(tmp_path / "adapter")
    row = InputRecord(role="checkpoint", id="1", kind="checkpoint", object="1")
    record = Record("adapter", "2", "", "", 1, {}, (row,), {}, {}, "", "", 0)
    adapter = Adapter(tmp_path / "adapter", record=record, name="tuned", open_input=lambda _: text_model)
    documents = utterances(20, seed=5)
    made = run(adapter, topics(documents))
    tokenizer = Tokenizer.from_file(str(text_model.folder / "tokenizer.json"))
    with torch.inference_mode():
        logits = wrapped(torch.tensor([tokenizer.encode(one["text"]).ids for one in documents])).logits
    assert [row["probability"] for row in rows(made)] == pytest.approx(logits.softmax(1).amax(1).tolist(), abs=1e-4)
