"""Classifiers and embedding models as graphs say what PyTorch says, and are used as before."""

from __future__ import annotations

import io

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from tests.model.networks import write
from transformers import AutoModelForSequenceClassification

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import InputRecord, Record
from aictl.core.errors import BadInput, GateMissed, WrongKind
from aictl.core.events import silent
from aictl.export.onnx import export
from aictl.export.spec import OnnxSpec
from aictl.inference.classifying import Classifier
from aictl.inference.embedding import open_embedder
from aictl.inference.encoder_onnx import OnnxImageClassifier
from aictl.inference.image_classifying import ImageClassifier
from aictl.judging.subject import subject

KINDS = ("text-classification", "embedding", "image-classification")
TEXTS = ["the capital of france", "my cat sleeps on the warm kitchen floor", "what ?"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A checkpoint of each kind, and its graph."""
    made = {}
    for kind in KINDS:
        place = tmp_path_factory.mktemp(kind)
        checkpoint = Checkpoint(write(place / "checkpoint", kind), name=kind)
        (place / "onnx").mkdir()
        made[kind] = checkpoint, export(checkpoint, OnnxSpec(), place / "onnx", events=silent)
    return made


def pictures() -> list[bytes]:
    found = []
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 30, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "png")
        found.append(file.getvalue())
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_agrees_with_pytorch_alone_and_in_a_batch(models, kind):
    checkpoint, made = models[kind]
    made.check()
    parity = made.metrics["parity"]
    assert 0 < parity["worst"] < 1e-5
    assert parity["worst"] == max(parity["alone"], parity["in_batch"])
    assert made.metrics["parameters"] == checkpoint.brief().parameters
    assert made.capability == kind
    assert made.facts["layout"] == "standard"


@pytest.mark.parametrize(
    ("kind", "inputs", "output"),
    [
        (
            "text-classification",
            {"input_ids": ["batch", "length"], "attention_mask": ["batch", "length"]},
            ["batch", 2],
        ),
        (
            "embedding",
            {"input_ids": ["batch", "length"], "attention_mask": ["batch", "length"]},
            ["batch", "length", 16],
        ),
        ("image-classification", {"pixel_values": ["batch", 3, 32, 32]}, ["batch", 3]),
    ],
)
def test_a_graph_is_standard_and_says_what_it_takes(models, kind, inputs, output):
    _, made = models[kind]
    onnx.checker.check_model(made.model_path, full_check=True)
    graph = onnx.load(made.model_path, load_external_data=False).graph
    assert {node.domain for node in graph.node} <= {"", "ai.onnx"}

    def extents(value):
        return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]

    assert {value.name: extents(value) for value in graph.input} == inputs
    assert [extents(value) for value in graph.output] == [output]
    signature = made.signature
    assert {one.name: list(one.shape) for one in signature.inputs} == inputs
    assert [list(one.shape) for one in signature.outputs] == [output]


def test_texts_are_told_apart_as_before(models):
    checkpoint, made = models["text-classification"]
    ours, theirs = Classifier(made.folder, device="cpu"), Classifier(checkpoint.folder, device="cpu")
    assert ours.classes == theirs.classes == ("dull", "fine")
    assert ours.classify(TEXTS).probabilities == pytest.approx(theirs.classify(TEXTS).probabilities, abs=1e-5)


def test_texts_have_the_vectors_that_they_had(models):
    checkpoint, made = models["embedding"]
    ours, theirs = (open_embedder(one.folder, device="cpu") for one in (made, checkpoint))
    assert (ours.pooling, ours.max_tokens) == (theirs.pooling, theirs.max_tokens) == ("cls", 16)
    assert ours.encode(TEXTS).vectors == pytest.approx(theirs.encode(TEXTS).vectors, abs=1e-5)


def test_pictures_are_told_apart_as_before(models):
    checkpoint, made = models["image-classification"]
    ours, theirs = (ImageClassifier(one.folder, device="cpu") for one in (made, checkpoint))
    assert ours.classes == ("cat", "dog", "disc")
    assert ours.classify(pictures()) == pytest.approx(theirs.classify(pictures()), abs=1e-5)
    with pytest.raises(BadInput, match="is no image classifier"):
        OnnxImageClassifier(models["text-classification"][1].model_path, device="cpu")


@pytest.mark.parametrize(
    ("kind", "ability"), list(zip(KINDS, ("text classes", "embedding", "image classes"), strict=True))
)
def test_it_is_evaluated_as_what_it_is(models, kind, ability):
    assert subject(models[kind][1]).ability == ability


def test_the_same_weights_give_the_same_bytes(models, tmp_path):
    checkpoint, made = models["text-classification"]
    again = export(checkpoint, OnnxSpec(), tmp_path, events=silent)
    for name in ("model.onnx", "model.onnx.data", "export.json"):
        assert (again.folder / name).read_bytes() == (made.folder / name).read_bytes()


def test_an_adapter_of_a_classifier_is_merged(models, tmp_path):
    from peft import LoraConfig, get_peft_model

    checkpoint, plain = models["text-classification"]
    torch.manual_seed(0)
    module = AutoModelForSequenceClassification.from_pretrained(checkpoint.folder)
    config = LoraConfig(r=2, lora_alpha=2000, target_modules=["v_lin"], init_lora_weights=False, task_type="SEQ_CLS")
    get_peft_model(module, config).save_pretrained(tmp_path / "adapter")
    row = InputRecord(role="checkpoint", id="1", kind="checkpoint", object="checkpoint/1")
    record = Record(
        kind="adapter", id="2", key="", command="", revision=1, spec={}, inputs=(row,), files={}, metrics={},
        summary="", created="", seconds=0,
    )  # fmt: skip
    adapter = Adapter(tmp_path / "adapter", record=record, name="tuned", open_input=lambda row: checkpoint)
    (tmp_path / "onnx").mkdir()
    made: OnnxModel = export(adapter, OnnxSpec(), tmp_path / "onnx", events=silent)
    ours, before = (Classifier(one.folder, device="cpu").classify(TEXTS).probabilities for one in (made, plain))
    assert np.abs(ours - before).max() > 1e-3


def test_too_large_a_difference_makes_nothing_of_it(models, tmp_path):
    with pytest.raises(GateMissed, match="differs from PyTorch's by up to"):
        export(models["embedding"][0], OnnxSpec(tolerance=1e-12), tmp_path, events=silent)


def test_a_model_for_something_else_is_refused(tmp_path):
    other = Checkpoint(write(tmp_path / "other", "masked-language-modelling"), name="other")
    with pytest.raises(WrongKind, match="'other' is for masked-language-modelling"):
        export(other, OnnxSpec(), tmp_path, events=silent)
