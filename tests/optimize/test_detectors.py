"""A detector in whole numbers finds the boxes that it found before."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from tests.model.networks import write
from transformers import AutoModelForObjectDetection

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadInput, GateMissed
from aictl.core.events import silent
from aictl.export.onnx import export
from aictl.export.spec import OnnxSpec
from aictl.inference.detecting import Detector
from aictl.optimize import networks
from aictl.optimize.bench.bench import bench
from aictl.optimize.quality import lost
from aictl.optimize.quantize import quantize
from aictl.optimize.spec import BenchSpec, QualitySpec, QuantizeSpec
from aictl.training import precision
from aictl.training.spec import PrecisionSpec
from aictl.training.tasks import pretrained
from aictl.training.tasks.object_detection import BoxedPictures, examine
from aictl.training.tasks.picture_batches import HeldOutPictures
from aictl.training.tasks.pictures import PictureReader

SIDE = 32


def picture(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.NEAREST).save(file, "png")
    return file.getvalue()


PICTURES = [picture(seed) for seed in range(6)]


def boxed(folder, boxes) -> Dataset:
    with DatasetWriter(folder, "image") as writer:
        for file, some in zip(PICTURES, boxes, strict=True):
            known = {"width": SIDE, "height": SIDE, "mode": "RGB", "source": "test", "size_bytes": len(file)}
            document = {"image": f"{hashlib.sha256(file).hexdigest()}.png", "boxes": some, **known}
            for split in ("train", "validation"):
                writer.add(split, document, file)
    return Dataset(folder, name="boxed")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Checkpoint:
    """Its weights are random, and large, so that every picture has boxes of its own."""
    folder = write(tmp_path_factory.mktemp("yolos") / "checkpoint", "object-detection")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"id2label": {"0": "cat", "1": "dog"}}))
    network = AutoModelForObjectDetection.from_pretrained(folder)
    torch.manual_seed(1)
    with torch.no_grad():
        for one in network.parameters():
            one.copy_(torch.randn_like(one) / (one.shape[-1] ** 0.5 if one.dim() == 2 else 2))
    network.save_pretrained(folder)
    return Checkpoint(folder, name="yolos")


@pytest.fixture(scope="module")
def dataset(checkpoint, tmp_path_factory) -> Dataset:
    """Pictures in which is what the checkpoint sees in them."""
    detector = Detector(checkpoint.folder, device="cpu")
    boxes = [
        [
            {"label": detector.classes[label], "box": (SIDE * corners).tolist()}
            for label, corners in zip(one.labels, one.corners, strict=True)
        ]
        for one in detector.detect(PICTURES)
    ]
    return boxed(tmp_path_factory.mktemp("boxed"), boxes)


@pytest.fixture(scope="module")
def graph(checkpoint, tmp_path_factory) -> OnnxModel:
    folder = tmp_path_factory.mktemp("yolos-onnx")
    export(checkpoint, OnnxSpec(), folder, events=silent)
    return OnnxModel(folder, name="yolos-onnx")


def test_a_graph_finds_what_the_checkpoint_does(checkpoint, graph):
    one, other = (Detector(model.folder, device="cpu").detect(PICTURES) for model in (checkpoint, graph))
    for mine, theirs in zip(one, other, strict=True):
        assert mine.corners == pytest.approx(theirs.corners, abs=1e-4)
        assert mine.scores == pytest.approx(theirs.scores, abs=1e-4)
        assert ((mine.scores > 0) & (mine.scores < 1)).all()


def test_it_is_judged_by_its_boxes(graph, dataset, places):
    folder, scratch = places("run")
    spec = QuantizeSpec(max_quality_loss=1.0)
    made = quantize(graph, dataset, spec, folder, scratch=scratch, events=silent)
    made.check()
    metrics = made.metrics
    assert (made.capability, made.facts["precision"]) == ("object-detection", "int8")
    assert metrics["quality"]["measure"] == "map_50"
    assert metrics["parent"]["map_50"] == pytest.approx(1)
    assert 0.5 < metrics["candidate"]["map_50"] <= 1
    assert metrics["outputs"]["worst_difference"] > 0
    assert metrics["candidate"]["pass_cpu_s"] > 0


def test_it_is_the_measure_that_training_takes(checkpoint, places):
    detector = Detector(checkpoint.folder, device="cpu")
    inside = []
    for one in detector.detect(PICTURES):
        corners = (SIDE * one.corners).clip(0, SIDE)
        kept = [place for place in range(0, len(corners), 2) if (corners[place, 2:] - corners[place, :2] > 1).all()]
        inside.append([{"label": detector.classes[one.labels[at]], "box": corners[at].tolist()} for at in kept])
    folder, scratch = places("run")
    data = boxed(folder, inside)
    (folder / "labels.json").write_text(json.dumps({"labels": [{"name": name} for name in detector.classes]}))
    reader = PictureReader(pretrained.load_processor(checkpoint))
    pictures = BoxedPictures(data, "validation", reader, patches=16, scratch=scratch, events=silent)
    network = AutoModelForObjectDetection.from_pretrained(checkpoint.folder)
    compute = precision.choose(PrecisionSpec(precision="fp32", device="cpu"))
    wanted = examine(network, compute, HeldOutPictures(pictures, 6, 6), 2)["map_50"]
    found = lost(checkpoint, checkpoint, data, QualitySpec(), scratch=scratch, events=silent)
    assert 0 < wanted < 1
    assert found.parent == found.candidate == pytest.approx(wanted)
    assert (found.task, found.loss) == ("detector", 0)


def test_a_weight_that_is_scaled_is_caught(graph, dataset, places, monkeypatch):
    original = networks.quantize

    def spoil(model, data, spec, folder, **rest):
        found = original(model, data, spec, folder, **rest)
        path = folder / "model.onnx"
        loaded = onnx.load(path)
        for one in loaded.graph.initializer:
            if one.name.endswith("_scale"):
                one.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(one) * np.float32(3), one.name))
        onnx.save(loaded, path)
        return found

    monkeypatch.setattr(networks, "quantize", spoil)
    folder, scratch = places("run")
    with pytest.raises(GateMissed, match="held-out map_50 falls"):
        quantize(graph, dataset, QuantizeSpec(), folder, scratch=scratch, events=silent)


def test_a_class_that_it_does_not_know_is_refused(graph, places, tmp_path):
    folder, scratch = places("run")
    foreign = boxed(tmp_path, [[{"label": "yeti", "box": [0, 0, 8, 8]}]] * len(PICTURES))
    with pytest.raises(BadInput, match="such as yeti"):
        quantize(graph, foreign, QuantizeSpec(), folder, scratch=scratch, events=silent)


@pytest.mark.slow
def test_it_is_timed_by_a_picture(checkpoint, graph, dataset, places):
    folder, scratch = places("bench")
    spec = BenchSpec(rounds=3, at_once=[1])
    made = bench([checkpoint, graph], dataset, spec, folder, scratch=scratch, events=silent)
    made.check()
    assert made.facts["task"] == "detector"
    assert set(made.facts["models"][0]["latency"]) == {"pass"}
