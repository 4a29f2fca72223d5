"""A quantised model is measured against its parent, and kept only if it passes its gates."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import InputRecord, Record
from aictl.core.errors import BadRequest, GateMissed
from aictl.core.events import silent
from aictl.export.onnx import export
from aictl.export.spec import OnnxSpec
from aictl.inference.generator import Sampling
from aictl.inference.load import load
from aictl.inference.tokenizer import ModelTokenizer
from aictl.optimize.quantize import quantize
from aictl.optimize.spec import QuantizeSpec

LOOSE = {"max_quality_loss": 10.0, "quality_tokens": 64}


TEXTS = [f"Document {number} says that bread is baked and water is wet." for number in range(4)]


@pytest.fixture(scope="module")
def heldout(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("dataset")
    with DatasetWriter(folder, "text") as writer:
        for text in TEXTS:
            writer.add("validation", {"text": text, "source": "test"})
    return Dataset(folder, name="texts")


@pytest.fixture(scope="module")
def checkpoint(chat_model, tmp_path_factory) -> Checkpoint:
    """A tiny model with heads wide enough to be fused, which has learnt the texts by heart, so
    that rounding its weights can only harm."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    shutil.copytree(chat_model.folder, folder)
    torch.manual_seed(0)
    module = LlamaForCausalLM(LlamaConfig.from_pretrained(folder, hidden_size=64, head_dim=16))
    ids = torch.tensor([ModelTokenizer(folder).encode(text) for text in TEXTS])
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        module(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
    module.save_pretrained(folder)
    return Checkpoint(folder, name="tiny")


@pytest.fixture(scope="module")
def exported(checkpoint, heldout, tmp_path_factory) -> OnnxModel:
    """The model as ONNX, with a lineage that leads to the checkpoint and to the held-out text."""
    folder = tmp_path_factory.mktemp("onnx")
    export(checkpoint, OnnxSpec(), folder, events=silent)
    parents = {"checkpoint": checkpoint, "dataset": heldout}
    rows = tuple(InputRecord(role=kind, id=kind, kind=kind, object=kind) for kind in parents)
    record = Record(
        kind="onnx", id="1", key="", command="", revision=1, spec={}, inputs=rows, files={}, metrics={}, summary="",
        created="", seconds=0,
    )  # fmt: skip
    return OnnxModel(folder, record=record, name="tiny-onnx", open_input=lambda row: parents[row.kind])


def run(model, dataset, tmp_path, **options) -> OnnxModel:
    (tmp_path / "made").mkdir()
    (tmp_path / "scratch").mkdir()
    spec = QuantizeSpec(**LOOSE | options)
    return quantize(model, dataset, spec, tmp_path / "made", scratch=tmp_path / "scratch", events=silent)


@pytest.mark.parametrize("method", ["int8", "int4"])
def test_it_is_smaller_measured_and_runs(exported, tmp_path, method, capfd):
    made = run(exported, None, tmp_path, method=method)
    assert (made.metrics["quality_loss"] < 0.05) or method == "int4"
    assert capfd.readouterr().out == ""
    made.check()
    assert made.facts["layout"] == "fused"
    assert made.facts["precision"] == method
    parent, candidate = made.metrics["parent"], made.metrics["candidate"]
    for figures in (parent, candidate):
        assert set(figures) == {"perplexity", "size_bytes", "prefill_tokens_per_s", "decode_tokens_per_s"}
        assert min(figures.values()) > 0
    assert candidate["size_bytes"] == made.weights_bytes
    assert made.metrics["quality_loss"] == pytest.approx(candidate["perplexity"] / parent["perplexity"] - 1)
    speed = made.metrics["speedup"]
    assert speed["low"] <= speed["ratio"] <= speed["high"]
    quality = made.metrics["quality"]
    assert (quality["measure"], quality["dataset"], quality["documents"]) == ("perplexity", "texts", len(TEXTS))
    assert quality["tokens"] > 100
    assert set(made.metrics["outputs"]) == {"worst_difference", "same_choice"}
    page = (made.folder / "weighed.html").read_text("utf-8")
    assert "perplexity" in page
    assert "tiny-onnx" in page
    loaded = load(made, device="cpu")
    assert [*loaded.generate(loaded.encode("Bread"), Sampling(max_tokens=4))][-1].tokens == 4


def test_int8_stays_closer_than_int4(checkpoint, tmp_path):
    from aictl.optimize.fused import build

    original = load(checkpoint, device="cpu")
    ids = original.encode("Bread is baked and water is wet.")
    far = {}
    for method in ("int8", "int4"):
        (tmp_path / method).mkdir()
        build(checkpoint, method, tmp_path / method, tmp_path / "scratch")
        rounded = load(OnnxModel(tmp_path / method), device="cpu").logits(ids)
        far[method] = float(np.abs(rounded - original.logits(ids)).mean())
    assert 0 < far["int8"] < far["int4"] / 2


def test_a_checkpoint_is_taken_too_and_the_dataset_can_be_named(checkpoint, heldout, tmp_path):
    made = run(checkpoint, heldout, tmp_path)
    assert made.metrics["parent"]["size_bytes"] == checkpoint.weights()[0].stat().st_size


def test_lost_quality_is_a_missed_gate(exported, tmp_path):
    with pytest.raises(GateMissed, match="max-quality-loss"):
        run(exported, None, tmp_path, method="int4", max_quality_loss=0.0)


def test_speed_that_no_model_reaches_is_a_missed_gate(exported, tmp_path):
    with pytest.raises(GateMissed, match="require-speedup"):
        run(exported, None, tmp_path, require_speedup=1e6)


def test_a_size_that_is_not_reached_is_a_missed_gate(exported, tmp_path):
    with pytest.raises(GateMissed, match="max-size"):
        run(exported, None, tmp_path, max_size=0.01)


def test_a_model_of_unknown_origin_is_judged_on_texts_that_come_with_the_package(checkpoint, tmp_path):
    made = run(checkpoint, None, tmp_path)
    assert made.metrics["quality"]["dataset"] == "public-domain"


def test_one_weight_that_is_spoiled_is_caught(exported, checkpoint, heldout, tmp_path, monkeypatch):
    """What the rounding writes goes wrong by one number, in the scale of a block."""
    import onnx

    from aictl.optimize import fused

    build = fused.build

    def spoil(weights, method, folder, scratch, **rest):
        report = build(weights, method, folder, scratch, **rest)
        model = onnx.load(folder / "model.onnx")
        scale = next(one for one in model.graph.initializer if "down_proj" in one.name and "scale" in one.name.lower())
        values = onnx.numpy_helper.to_array(scale).copy()
        values.reshape(-1)[0] = 1e4
        scale.CopyFrom(onnx.numpy_helper.from_array(values, scale.name))
        (folder / "model.onnx.data").unlink()
        onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="model.onnx.data")
        return report

    monkeypatch.setattr(fused, "build", spoil)
    with pytest.raises(GateMissed, match="perplexity rises"):
        run(exported, None, tmp_path, max_quality_loss=0.05)


def test_an_onnx_model_without_lineage_or_quantised_already_is_refused(exported, heldout, tmp_path):
    with pytest.raises(BadRequest, match="lead back"):
        run(OnnxModel(exported.folder), heldout, tmp_path)
    shutil.copytree(exported.folder, tmp_path / "int8")
    path = tmp_path / "int8" / "export.json"
    path.write_text(path.read_text().replace("fp32", "int8"))
    with pytest.raises(BadRequest, match="already"):
        quantize(OnnxModel(tmp_path / "int8"), heldout, QuantizeSpec(), tmp_path, scratch=tmp_path, events=silent)


def test_heads_too_narrow_for_fused_attention_are_refused(chat_model, heldout, tmp_path):
    with pytest.raises(BadRequest, match="heads 8 wide"):
        run(chat_model, heldout, tmp_path)


def test_an_architecture_without_fused_operators_is_refused(chat_model, heldout, tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel

    shutil.copytree(chat_model.folder, tmp_path / "gpt2")
    config = GPT2Config(vocab_size=256, n_embd=64, n_layer=1, n_head=4, bos_token_id=0, eos_token_id=0)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    with pytest.raises(BadRequest, match="GPT2LMHeadModel"):
        run(Checkpoint(tmp_path / "gpt2"), heldout, tmp_path)
