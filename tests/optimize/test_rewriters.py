"""An encoder-decoder in whole numbers, both its graphs, writes what it did before, and one that does not is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from tests.model.networks import WORDS, write_tokenizer
from transformers import T5Config, T5ForConditionalGeneration

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadRequest, GateMissed
from aictl.core.events import silent
from aictl.export.onnx import export
from aictl.export.spec import OnnxSpec
from aictl.inference.rewriting import Rewriter
from aictl.optimize import networks
from aictl.optimize.bench.bench import bench
from aictl.optimize.quantize import quantize
from aictl.optimize.spec import BenchSpec, QuantizeSpec

NAMED = ["cat", "paris", "kitchen", "floor", "city", "capital", "france", "warm"]
READ = [f"what is {word} ?" for word in NAMED]
OUTPUTS = [f"my {NAMED[at - 3]} sleeps" for at in range(len(NAMED))]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("pairs")
    with DatasetWriter(folder, "pair") as writer:
        for read, output in zip(READ, OUTPUTS, strict=True):
            writer.add("validation", {"input": read, "output": output, "source": "t"})
    return Dataset(folder, name="pairs")


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> tuple[Checkpoint, OnnxModel]:
    """A checkpoint that knows the answers by heart, and its graphs."""
    place = tmp_path_factory.mktemp("t5")
    (place / "checkpoint").mkdir()
    (place / "onnx").mkdir()
    write_tokenizer(place / "checkpoint")
    torch.manual_seed(0)
    shape = T5Config(
        vocab_size=len(WORDS), d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2, dropout_rate=0,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=3,
    )  # fmt: skip
    network = T5ForConditionalGeneration(shape)
    network.save_pretrained(place / "checkpoint")
    rewriter = Rewriter(place / "checkpoint", device="cpu")
    ids = torch.tensor([rewriter.encode(text) for text in READ])
    labels = torch.tensor([rewriter.encode(text)[1:] for text in OUTPUTS])  # without the token that begins what is read
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        network(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
    network.save_pretrained(place / "checkpoint")
    checkpoint = Checkpoint(place / "checkpoint", name="t5")
    export(checkpoint, OnnxSpec(), place / "onnx", events=silent)
    return checkpoint, OnnxModel(place / "onnx", name="t5-onnx")


def run(model, dataset, places, **options) -> OnnxModel:
    folder, scratch = places("run")
    return quantize(model, dataset, QuantizeSpec(**options), folder, scratch=scratch, events=silent)


def test_both_graphs_are_smaller_and_write_as_before(models, pairs, places):
    made = run(models[1], pairs, places)
    made.check()
    assert (made.facts["precision"], made.capability, len(made.graphs)) == ("int8", "text-to-text", 2)
    for path in made.graphs.values():
        assert "MatMulInteger" in {node.op_type for node in onnx.load(path).graph.node}
    metrics = made.metrics
    # All is right but the end token, which is a word like any other to this tokenizer.
    assert metrics["parent"]["chrf"] == metrics["candidate"]["chrf"] > 80
    assert metrics["quality"]["measure"] == "chrf"
    assert metrics["rounding"]["layers"] > 15
    assert metrics["outputs"]["worst_difference"] > 0
    assert metrics["outputs"]["same_choice"] > 0.7
    assert {"prefill_tokens_per_s", "decode_tokens_per_s"} <= set(metrics["candidate"])
    assert "tokens decoded a CPU second" in (made.folder / "weighed.html").read_text("utf-8")
    with pytest.raises(BadRequest, match="is int8 already"):
        run(made, pairs, places)


@pytest.mark.parametrize("graph", ["encoder", "decoder"])
def test_a_weight_that_is_scaled_is_caught(models, pairs, places, monkeypatch, graph):
    original = networks.quantize

    def spoil(model, data, spec, folder, **rest):
        found = original(model, data, spec, folder, **rest)
        path = folder / f"{graph}.onnx"
        loaded = onnx.load(path)
        scale = [one for one in loaded.graph.initializer if one.name.endswith("_scale")][-1]
        scale.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(scale) * np.float32(-3), scale.name))
        onnx.save(loaded, path)
        return found

    monkeypatch.setattr(networks, "quantize", spoil)
    with pytest.raises(GateMissed, match="held-out chrf falls"):
        run(models[1], pairs, places)


def test_what_is_of_one_graph_alone_is_refused(models, pairs, places):
    for options in ({"spare": 1}, {"calibration": "minmax"}):
        with pytest.raises(BadRequest, match="has 2 graphs"):
            run(models[1], pairs, places, **options)


def test_what_is_replayed_is_what_is_written_in_either_form(models):
    for one in models:
        rewriter = Rewriter(one.folder, device="cpu")
        read, wanted = rewriter.encode(READ[0]), rewriter.encode(OUTPUTS[0])[1:]
        chosen = [int(logits.argmax()) for logits in rewriter.replay(read, wanted)]
        assert chosen[: len(wanted)] == wanted
        assert len(chosen) == len(wanted) + 1


@pytest.mark.slow
def test_it_is_timed_by_token_in_both_forms(models, pairs, places):
    folder, scratch = places("bench")
    spec = BenchSpec(rounds=3, new_tokens=6, at_once=[1, 2])
    made = bench([*models], pairs, spec, folder, scratch=scratch, events=silent)
    made.check()
    assert made.facts["task"] == "encoder-decoder model"
    assert all(set(one["latency"]) == {"first_token", "next_token"} for one in made.facts["models"])
