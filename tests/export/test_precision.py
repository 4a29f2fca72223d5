"""Numbers of half the width: they agree within what rounding explains, and where they overflow is said."""

from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.model.networks import write

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import GateMissed, MachineLacks, WorkFailed
from aictl.core.events import silent
from aictl.export.onnx import export
from aictl.export.precision import peaks
from aictl.export.spec import OnnxSpec
from aictl.export.tolerance import usual_tolerance
from aictl.inference.classifying import Classifier
from aictl.inference.generator import Sampling
from aictl.inference.load import load

TEXTS = ["the capital of france", "my cat sleeps"]


def formats(made) -> dict[str, int]:
    """How many weights of two dimensions are kept in each number format."""
    kept = onnx.load(made.model_path, load_external_data=False).graph.initializer
    names = [onnx.TensorProto.DataType.Name(one.data_type) for one in kept if len(one.dims) == 2]
    return {name: names.count(name) for name in names if "FLOAT" in name}


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_a_language_model_is_half_as_large_and_says_the_same(chat_model, tmp_path, precision):
    made = export(chat_model, OnnxSpec(precision=precision), tmp_path, events=silent)
    made.check()
    parity = made.metrics["parity"]
    assert set(parity) >= {"rounded", "empty_cache", "full_cache", "left_padding"}
    assert 0 < parity["worst"] <= parity["tolerance"]
    assert made.facts["precision"] == made.brief().precision == precision
    assert set(formats(made)) == {{"fp16": "FLOAT16", "bf16": "BFLOAT16"}[precision]}
    types = {one.name: one.type for side in made.header.signature for one in side}
    assert types["past_key_values.0.key"] == types["present.1.value"] != "float32"
    assert types["logits"] == "float32"
    assert made.weights_bytes < 0.65 * 4 * made.metrics["parameters"] + made.model_path.stat().st_size


def test_fp16_generates_on_a_processor_what_fp32_does(chat_model, tmp_path):
    made = export(chat_model, OnnxSpec(precision="fp16"), tmp_path, events=silent)
    ours, theirs = load(made, device="cpu"), load(chat_model, device="cpu")
    prompt = ours.encode("Hello there")
    assert np.abs(ours.logits(prompt) - theirs.logits(prompt)).max() < 1e-2
    assert [piece.tokens for piece in ours.generate(prompt, Sampling(max_tokens=5))][-1] == 5


def test_bf16_is_not_reckoned_with_on_a_processor_and_that_is_said(chat_model, tmp_path):
    made = export(chat_model, OnnxSpec(precision="bf16"), tmp_path, events=silent)
    with pytest.raises(MachineLacks, match="onnxruntime cannot compute"):
        load(made, device="cpu")


@pytest.mark.parametrize("kind", ["text-classification", "image-text", "object-detection"])
def test_other_networks_too(tmp_path, kind):
    checkpoint = Checkpoint(write(tmp_path / "model", kind), name=kind)
    (tmp_path / "onnx").mkdir()
    made = export(checkpoint, OnnxSpec(precision="fp16"), tmp_path / "onnx", events=silent)
    made.check()
    assert "rounded" in made.metrics["parity"]
    assert {one.type for one in made.header.signature.outputs} == {"float32"}
    if kind == "text-classification":
        ours, theirs = (Classifier(one.folder, device="cpu").classify(TEXTS) for one in (made, checkpoint))
        assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-3)


def spoiled(chat_model, folder, name: str, factor: float) -> Checkpoint:
    """The tiny model with one of its weights made larger."""
    shutil.copytree(chat_model.folder, folder)
    weights = load_file(folder / "model.safetensors")
    weights[name] = weights[name] * factor
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return Checkpoint(folder, name="loud")


def test_the_layer_that_overflows_in_fp16_is_named_and_bf16_holds_it(chat_model, tmp_path):
    loud = spoiled(chat_model, tmp_path / "loud", "model.layers.1.mlp.up_proj.weight", 1e7)
    with pytest.raises(
        WorkFailed, match=r"come out of model\.layers\.1\.mlp\.up_proj \(Linear\) .* ends at 65,504"
    ) as told:
        export(loud, OnnxSpec(precision="fp16"), tmp_path, events=silent)
    assert "bf16" in told.value.cure
    (tmp_path / "onnx").mkdir()
    made = export(loud, OnnxSpec(precision="bf16"), tmp_path / "onnx", events=silent)
    assert made.metrics["parity"]["worst"] <= made.metrics["parity"]["tolerance"]


def test_a_tolerance_of_ones_own_counts_for_every_precision(chat_model, tmp_path):
    with pytest.raises(GateMissed, match="1e-09 is accepted"):
        export(chat_model, OnnxSpec(precision="fp16", tolerance=1e-9), tmp_path, events=silent)


def test_what_rounding_explains_follows_the_precision():
    assert usual_tolerance("fp32", 100.0) == 1e-3
    assert usual_tolerance("bf16", 10.0) == 8 * usual_tolerance("fp16", 10.0)
    assert usual_tolerance("fp16", 64.0) == 1.0


def test_peaks_are_of_every_layer_and_keep_what_is_no_number():
    network = torch.nn.Sequential(torch.nn.Identity(), torch.nn.ReLU())
    with peaks(network) as found:
        network(torch.tensor([-3.0, 2.0]))
        assert found == {"0": 3.0, "1": 2.0, "": 2.0}
        network(torch.tensor([float("nan")]))
        network(torch.tensor([1.0]))
    assert np.isnan(found["0"])
    network(torch.tensor([9.0]))
    assert json.dumps(found) == '{"0": NaN, "1": NaN, "": NaN}'
