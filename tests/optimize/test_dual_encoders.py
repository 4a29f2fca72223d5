"""A dual encoder in whole numbers finds the captions that it found before, and one that does not is refused."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from tests.model.networks import write
from transformers import AutoModel

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import GateMissed
from aictl.core.events import silent
from aictl.export.onnx import export
from aictl.export.spec import OnnxSpec
from aictl.inference.matching import DualEncoder
from aictl.optimize import networks
from aictl.optimize.bench.bench import bench
from aictl.optimize.quantize import quantize
from aictl.optimize.spec import BenchSpec, QuantizeSpec

SEEN = ["cat", "paris", "kitchen", "floor", "city", "capital"]
CAPTIONS = [f"my {what}" for what in SEEN]


def picture(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST).save(file, "png")
    return file.getvalue()


PICTURES = [picture(seed) for seed in range(len(SEEN))]


@pytest.fixture(scope="module")
def captioned(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("captioned")
    with DatasetWriter(folder, "image") as writer:
        for file, caption in zip(PICTURES, CAPTIONS, strict=True):
            name = hashlib.sha256(file).hexdigest()
            known = {"width": 32, "height": 32, "mode": "RGB", "source": caption, "size_bytes": len(file)}
            writer.add("validation", {"image": f"{name}.png", "caption": caption, **known}, file)
    return Dataset(folder, name="captioned")


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> tuple[Checkpoint, OnnxModel]:
    """A checkpoint that knows the captions by heart, and its graphs."""
    place = tmp_path_factory.mktemp("clip")
    (place / "onnx").mkdir()
    checkpoint = Checkpoint(write(place / "checkpoint", "image-text"), name="clip")
    network = AutoModel.from_pretrained(checkpoint.folder)
    every = DualEncoder(checkpoint.folder, device="cpu").prepared(list(zip(CAPTIONS, PICTURES, strict=True)))
    fields = dict(zip(("input_ids", "attention_mask", "pixel_values"), map(torch.from_numpy, every), strict=True))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        network(**fields, return_loss=True).loss.backward()
        optimizer.step()
    network.save_pretrained(checkpoint.folder)
    export(checkpoint, OnnxSpec(), place / "onnx", events=silent)
    return checkpoint, OnnxModel(place / "onnx", name="clip-onnx")


def run(model, dataset, places, **options) -> OnnxModel:
    folder, scratch = places("run")
    return quantize(model, dataset, QuantizeSpec(**options), folder, scratch=scratch, events=silent)


def test_both_graphs_are_smaller_and_find_what_they_did(models, captioned, places):
    graph = models[1]
    made = run(graph, captioned, places)
    made.check()
    assert (made.facts["precision"], made.capability, set(made.graphs)) == ("int8", "image-text", {"text", "image"})
    assert made.facts["scoring"] == graph.facts["scoring"]
    for path in made.graphs.values():
        assert "MatMulInteger" in {node.op_type for node in onnx.load(path).graph.node}
    metrics = made.metrics
    assert metrics["quality"]["measure"] == "recall@1"
    assert metrics["parent"]["recall@1"] == metrics["candidate"]["recall@1"] == 1
    assert 0.9 < metrics["outputs"]["least_cosine"] < 1
    assert metrics["candidate"]["pass_cpu_s"] > 0


@pytest.mark.parametrize("graph", ["text", "image"])
def test_a_weight_that_is_scaled_is_caught(models, captioned, places, monkeypatch, graph):
    original = networks.quantize

    def spoil(model, data, spec, folder, **rest):
        found = original(model, data, spec, folder, **rest)
        path = folder / f"{graph}.onnx"
        loaded = onnx.load(path)
        scales = [one for one in loaded.graph.initializer if one.name.endswith("_scale")]
        scale = next((one for one in scales if "token_embedding" in one.name), scales[-1])
        scale.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(scale) * np.float32(-1), scale.name))
        onnx.save(loaded, path)
        return found

    monkeypatch.setattr(networks, "quantize", spoil)
    with pytest.raises(GateMissed, match="held-out recall@1 falls"):
        run(models[1], captioned, places)


def test_vectors_of_both_forms_are_those_of_transformers(models):
    network = AutoModel.from_pretrained(models[0].folder).eval()
    texts = [*CAPTIONS, "what is the capital of france ?"]
    wanted = []
    for text in texts:
        ids = DualEncoder(models[0].folder, device="cpu").prepared([(text, PICTURES[0])])[0]
        with torch.no_grad():
            vector = network.get_text_features(input_ids=torch.from_numpy(ids)).pooler_output[0]
        wanted.append((vector / vector.norm()).numpy())
    for one in models:
        encoder = DualEncoder(one.folder, device="cpu")
        assert encoder.encode_texts(texts).vectors == pytest.approx(np.stack(wanted), abs=1e-4)
        likeness = encoder.encode_pictures(PICTURES) @ encoder.encode_texts(CAPTIONS).vectors.T
        assert likeness.argmax(axis=1).tolist() == list(range(len(PICTURES)))


@pytest.mark.slow
def test_it_is_timed_by_a_picture_with_its_caption(models, captioned, places):
    folder, scratch = places("bench")
    made = bench([models[1]], captioned, BenchSpec(rounds=3, at_once=[1, 4]), folder, scratch=scratch, events=silent)
    made.check()
    assert made.facts["task"] == "dual encoder"
    assert set(made.facts["models"][0]["latency"]) == {"pass"}
