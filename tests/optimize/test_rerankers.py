"""A reranker in whole numbers puts first what it did before, and one that does not is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from tests.model.networks import WORDS, write_tokenizer
from transformers import BertConfig, BertForSequenceClassification

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadRequest, GateMissed, WrongKind
from aictl.core.events import silent
from aictl.export.onnx import export
from aictl.export.spec import OnnxSpec
from aictl.inference.reranking import Reranker
from aictl.optimize import networks
from aictl.optimize.bench.bench import bench
from aictl.optimize.quantize import quantize
from aictl.optimize.spec import BenchSpec, QuantizeSpec

ASKED = list(dict.fromkeys(WORDS[4:]))
QUESTIONS = [f"what is {word} ?" for word in ASKED]
ANSWERS = [f"my {ASKED[at - 5]} sleeps" for at in range(len(ASKED))]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("pairs")
    with DatasetWriter(folder, "pair") as writer:
        for split in ("train", "validation"):
            for asked, answer in zip(QUESTIONS, ANSWERS, strict=True):
                writer.add(split, {"input": asked, "output": answer, "source": "t"})
    return Dataset(folder, name="pairs")


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> tuple[Checkpoint, OnnxModel]:
    """A checkpoint that knows which answer belongs to which question, and its graph."""
    place = tmp_path_factory.mktemp("reranker")
    (place / "checkpoint").mkdir()
    (place / "onnx").mkdir()
    write_tokenizer(place / "checkpoint")
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=len(WORDS), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=32, num_labels=1, hidden_dropout_prob=0, attention_probs_dropout_prob=0,
        initializer_range=0.2,
    )  # fmt: skip
    network = BertForSequenceClassification(shape)
    network.save_pretrained(place / "checkpoint")
    reranker = Reranker(place / "checkpoint", device="cpu")
    every = reranker.prepared([(asked, answer) for asked in QUESTIONS for answer in ANSWERS])
    fields = dict(zip(("input_ids", "attention_mask", "token_type_ids"), map(torch.from_numpy, every), strict=True))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        scores = network(**fields).logits.view(len(QUESTIONS), len(ANSWERS))
        torch.nn.functional.cross_entropy(scores, torch.arange(len(QUESTIONS))).backward()
        optimizer.step()
    network.save_pretrained(place / "checkpoint")
    checkpoint = Checkpoint(place / "checkpoint", name="reranker")
    export(checkpoint, OnnxSpec(), place / "onnx", events=silent)
    return checkpoint, OnnxModel(place / "onnx", name="reranker-onnx")


def run(model, dataset, places, **options) -> OnnxModel:
    folder, scratch = places("run")
    return quantize(model, dataset, QuantizeSpec(**options), folder, scratch=scratch, events=silent)


@pytest.mark.parametrize(("calibration", "spare"), [(None, 0), ("minmax", 1)])
def test_it_is_smaller_and_ranks_as_before(models, pairs, places, calibration, spare):
    _, graph = models
    made = run(graph, pairs, places, calibration=calibration, spare=spare)
    made.check()
    metrics = made.metrics
    assert (made.facts["precision"], made.capability) == ("int8", "reranking")
    assert metrics["quality"]["measure"] == "mrr"
    assert metrics["parent"]["mrr"] == metrics["candidate"]["mrr"] == 1
    assert metrics["outputs"]["worst_difference"] > 0
    assert metrics["outputs"]["same_choice"] == 1
    assert metrics["candidate"]["pass_cpu_s"] > 0
    assert len(metrics["rounding"]["spared"]) == spare
    assert (made.folder / "weighed.html").is_file()


def test_a_weight_that_is_scaled_is_caught(models, pairs, places, monkeypatch):
    original = networks.quantize

    def spoil(model, data, spec, folder, **rest):
        found = original(model, data, spec, folder, **rest)
        graph = onnx.load(folder / "model.onnx")
        scale = next(one for one in graph.graph.initializer if "word_embeddings" in one.name and "scale" in one.name)
        scale.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(scale) * np.float32(-0.5), scale.name))
        onnx.save(graph, folder / "model.onnx")
        return found

    monkeypatch.setattr(networks, "quantize", spoil)
    with pytest.raises(GateMissed, match="held-out mrr falls"):
        run(models[1], pairs, places)


def test_what_leaves_nothing_to_round_is_refused(models, pairs, places):
    with pytest.raises(BadRequest, match="leaves nothing to round"):
        run(models[1], pairs, places, spare=99)
    with pytest.raises(WrongKind, match="the graph is rounded"):
        run(models[0], pairs, places)


def test_the_graph_gives_the_scores_of_the_checkpoint(models):
    some = [*zip(QUESTIONS, ANSWERS, strict=True), (QUESTIONS[0], "the cat sleeps on my warm kitchen floor in paris")]
    one, other = (Reranker(model.folder, device="cpu").score(some).scores for model in models)
    assert other == pytest.approx(one, abs=1e-4)


@pytest.mark.slow
def test_it_is_timed_by_pass(models, pairs, write_dataset, places):
    folder, scratch = places("bench")
    made = bench([models[1]], pairs, BenchSpec(rounds=3, at_once=[1, 4]), folder, scratch=scratch, events=silent)
    made.check()
    assert made.facts["task"] == "reranker"
    assert all(set(one["latency"]) == {"pass"} for one in made.facts["models"])
    texts = write_dataset("texts", "text", {"validation": [{"text": "my cat", "source": "t"}]})
    with pytest.raises(WrongKind, match="pair is needed"):
        bench([models[1]], texts, BenchSpec(rounds=3), folder, scratch=scratch, events=silent)
