"""Classifiers and embedding models in whole numbers: smaller, as good as they were, and refused where they are not."""

from __future__ import annotations

import io

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from tests.model.networks import write
from transformers import AutoModelForSequenceClassification

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadRequest, GateMissed, WrongKind
from aictl.core.events import silent
from aictl.export.onnx import export
from aictl.export.spec import OnnxSpec
from aictl.inference.classifying import Classifier
from aictl.inference.image_classifying import ImageClassifier
from aictl.optimize import networks
from aictl.optimize.quantize import quantize
from aictl.optimize.spec import QuantizeSpec

WORDS = ["the", "capital", "of", "france", "my", "cat", "sleeps", "on", "warm", "kitchen", "floor", "what", "is"]
KINDS = ("text-classification", "embedding", "image-classification")


def texts(count: int) -> list[str]:
    chance = np.random.default_rng(0)
    return [" ".join(chance.choice(WORDS, chance.integers(2, 9))) for _ in range(count)]


def picture(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((40, 40), Image.Resampling.NEAREST).save(file, "png")
    return file.getvalue()


def teach(checkpoint: Checkpoint) -> None:
    """It learns which texts are of a cat, so that there is something to lose."""
    network = AutoModelForSequenceClassification.from_pretrained(checkpoint.folder)
    model = Classifier(checkpoint.folder, device="cpu")
    some = texts(60)
    ids, mask = (torch.from_numpy(one) for one in model.prepared(some))
    labels = torch.tensor(["cat" in text for text in some]).long()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(80):
        optimizer.zero_grad()
        network(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        optimizer.step()
    network.save_pretrained(checkpoint.folder)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, tuple[Checkpoint, OnnxModel]]:
    """A checkpoint of each kind, and its graph."""
    made = {}
    for kind in KINDS:
        place = tmp_path_factory.mktemp(kind)
        checkpoint = Checkpoint(write(place / "checkpoint", kind), name=kind)
        if kind == "text-classification":
            teach(checkpoint)
        (place / "onnx").mkdir()
        export(checkpoint, OnnxSpec(), place / "onnx", events=silent)
        made[kind] = checkpoint, OnnxModel(place / "onnx", name=f"{kind}-onnx")
    return made


@pytest.fixture
def dataset(models, write_dataset, tmp_path):
    """What the model itself says of each document stands there as the truth, so that it is right in all of them."""

    def make(kind: str):
        folder = models[kind][1].folder
        if kind == "image-classification":
            (tmp_path / "pictures").mkdir()
            files = [picture(seed) for seed in range(40)]
            network = ImageClassifier(folder, device="cpu")
            labels = [network.classes[at] for at in network.classify(files).argmax(axis=1)]
            with DatasetWriter(tmp_path / "pictures", "image") as writer:
                for number, (file, label) in enumerate(zip(files, labels, strict=True)):
                    document = {"image": f"{number}.png", "label": label, "source": "test", "size_bytes": len(file)}
                    writer.add("train" if number % 2 else "validation", document, file)
            return Dataset(tmp_path / "pictures", name="pictures")
        if kind == "text-classification":
            some = texts(60)
            model = Classifier(folder, device="cpu")
            labels = [model.classes[at] for at in model.classify(some).probabilities.argmax(axis=1)]
            rows = [{"text": text, "label": one, "source": "t"} for text, one in zip(some, labels, strict=True)]
            return write_dataset("texts", "text", {"train": rows[:20], "validation": rows[20:]})
        rows = [{"input": text, "output": text + " ?", "source": "t"} for text in texts(40)]
        return write_dataset("pairs", "pair", {"train": rows[:20], "validation": rows[20:]})

    return make


def run(model, dataset, places, **options) -> OnnxModel:
    folder, scratch = places("run")
    spec = QuantizeSpec(**{"max_quality_loss": 0.2, **options})
    return quantize(model, dataset, spec, folder, scratch=scratch, events=silent)


@pytest.mark.parametrize(
    ("kind", "calibration", "operator"),
    [
        ("text-classification", None, "MatMulInteger"),
        ("embedding", None, "MatMulInteger"),
        ("embedding", "minmax", "QuantizeLinear"),
        ("image-classification", None, "QuantizeLinear"),
        ("image-classification", "entropy", "QuantizeLinear"),
        ("image-classification", "percentile", "QuantizeLinear"),
    ],
)
def test_it_is_smaller_measured_and_used_as_before(models, dataset, places, kind, calibration, operator):
    model, data = models[kind][1], dataset(kind)
    # The vectors of random weights differ by less than what rounding does: they show that it runs.
    accepted = 1.0 if kind == "embedding" else 0.1
    made = run(model, data, places, calibration=calibration, max_quality_loss=accepted)
    made.check()
    assert made.facts["precision"] == "int8"
    assert made.capability == kind
    assert operator in made.header.operators
    metrics = made.metrics
    assert metrics["rounding"]["spared"] == []
    assert metrics["rounding"]["layers"] > 1
    name = metrics["quality"]["measure"]
    assert name == ("recall@1" if kind == "embedding" else "accuracy")
    if kind != "embedding":
        assert metrics["parent"][name] == 1.0
    assert metrics["quality_loss"] == pytest.approx(metrics["parent"][name] - metrics["candidate"][name])
    assert metrics["outputs"]["worst_difference"] > 0
    assert metrics["outputs"].get("least_cosine", 1) > 0.99
    assert metrics["parent"]["pass_cpu_s"] > 0
    assert (made.folder / "weighed.html").is_file()


def test_layers_that_are_spared_stay_as_they_were(models, dataset, places):
    made = run(models["text-classification"][1], dataset("text-classification"), places, spare=2)
    assert len(made.metrics["rounding"]["spared"]) == 2
    graph = onnx.load(made.model_path).graph
    spared = [node for node in graph.node if node.name in made.metrics["rounding"]["spared"]]
    assert {node.op_type for node in spared} <= {"MatMul", "Gather"}
    assert len(spared) == 2


def test_a_spoiled_matrix_is_caught(models, dataset, places, monkeypatch):
    kind = "text-classification"
    original = networks.quantize

    def spoil(model, data, spec, folder, **rest):
        found = original(model, data, spec, folder, **rest)
        graph = onnx.load(folder / "model.onnx")
        last = [one for one in graph.graph.initializer if one.data_type == onnx.TensorProto.INT8][-1]
        values = -onnx.numpy_helper.to_array(last).astype(np.int16)
        last.CopyFrom(onnx.numpy_helper.from_array(values.clip(-127, 127).astype(np.int8), last.name))
        onnx.save(graph, folder / "model.onnx")
        return found

    monkeypatch.setattr(networks, "quantize", spoil)
    with pytest.raises(GateMissed, match="accuracy falls"):
        run(models[kind][1], dataset(kind), places)


def test_what_cannot_be_rounded_so_is_refused(models, dataset, places):
    checkpoint, model = models["embedding"]
    data = dataset("embedding")
    with pytest.raises(WrongKind, match="the graph is rounded"):
        run(checkpoint, data, places)
    with pytest.raises(BadRequest, match="language models alone"):
        run(model, data, places, method="int4")
    with pytest.raises(BadRequest, match="nothing held out"):
        run(model, None, places)
    with pytest.raises(WrongKind, match="pair is needed"):
        run(model, dataset("text-classification"), places)
    with pytest.raises(BadRequest, match="no split 'test'"):
        run(model, data, places, split="test")


def test_calibration_needs_a_split_to_learn_from(models, write_dataset, places):
    rows = [{"input": text, "output": text, "source": "t"} for text in texts(5)]
    data = write_dataset("held", "pair", {"validation": rows})
    with pytest.raises(BadRequest, match="no split 'train'"):
        run(models["embedding"][1], data, places, calibration="minmax")
