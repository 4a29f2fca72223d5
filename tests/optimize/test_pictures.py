"""Classifiers of pictures are pruned and distilled too."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image
from transformers import AutoModelForImageClassification, ResNetConfig, ViTConfig, ViTForImageClassification
from transformers.models.resnet.modeling_resnet import ResNetForImageClassification
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import LABELS, Dataset, DatasetWriter
from aictl.core.errors import BadRequest
from aictl.core.events import silent
from aictl.optimize.distill.distill import distill
from aictl.optimize.distill.spec import DistillSpec, StudentSpec
from aictl.optimize.prune.prune import prune
from aictl.optimize.prune.spec import CutSpec, PruneSpec
from aictl.optimize.spec import GateSpec
from aictl.optimize.teaching import TeachingSpec
from aictl.training.spec import LoopSpec, PrecisionSpec

CLASSES = ("dark", "light")
HOW = {
    "teaching": TeachingSpec(batch_size=4),
    "precision": PrecisionSpec(precision="fp32", device="cpu"),
    "loop": LoopSpec(evaluate_every=100),
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    with DatasetWriter(folder, "image") as writer:
        for number in range(24):
            held, kind = io.BytesIO(), number % 2
            pixels = generator.integers(0, 100, (16, 16), dtype=np.uint8) + np.uint8(150 * kind)
            Image.fromarray(pixels).save(held, "PNG")
            known = {"width": 16, "height": 16, "mode": "L", "label": CLASSES[kind], "source": f"{number}.png"}
            name = hashlib.sha256(held.getvalue()).hexdigest()
            document = {"image": f"{name}.png", "size_bytes": len(held.getvalue()), **known}
            writer.add("train" if number < 16 else "validation", document, held.getvalue())
    (folder / LABELS).write_text(json.dumps({"labels": [{"name": name} for name in CLASSES]}))
    return Dataset(folder, name="pictures")


def written(folder, model) -> Checkpoint:
    model.save_pretrained(folder)
    size = {"height": 16, "width": 16}
    ViTImageProcessorPil(size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(folder)
    return Checkpoint(folder, name=folder.name)


def named() -> dict[str, object]:
    return {"id2label": dict(enumerate(CLASSES)), "label2id": {name: number for number, name in enumerate(CLASSES)}}


@pytest.fixture(scope="module")
def vision(tmp_path_factory) -> Checkpoint:
    shape = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
    model = ViTForImageClassification(ViTConfig(image_size=16, patch_size=4, **shape, **named()))
    return written(tmp_path_factory.mktemp("vision") / "vit", model)


def test_a_vision_transformer_is_cut_recovers_and_loads(vision, pictures, places):
    folder, scratch = places("vit")
    spec = PruneSpec(
        method="structured",
        cut=CutSpec(layers=2, heads=2, neurons=16),
        recover_steps=8,
        gate=GateSpec(max_quality_loss=1),
        **HOW,
    )
    made = prune(vision, pictures, spec, folder, scratch=scratch, events=silent)
    model, info = AutoModelForImageClassification.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values())
    assert model.vit.layers[0].attention.q_proj.weight.shape == (16, 32)
    assert made.metrics["candidate"]["parameters"] == model.num_parameters()
    assert made.metrics["quality"]["documents"] == 8
    assert made.metrics["recovery"]["held_out"]["accuracy"] == made.metrics["candidate"]["accuracy"]


def test_a_vision_transformer_is_a_teacher_by_its_hidden_states(vision, pictures, places):
    folder, scratch = places("student")
    spec = DistillSpec(method="hidden", max_steps=4, shrink=StudentSpec(layers=1, width_fraction=0.5), **HOW)
    made = distill(vision, pictures, None, spec, folder, scratch=scratch, events=silent)
    assert made.metrics["left_out"] > 0.5
    assert made.metrics["candidate"]["accuracy"] == made.metrics["held_out"]["accuracy"]


def test_convolutions_have_no_hidden_states_side_by_side_but_logits(pictures, places, tmp_path):
    model = ResNetForImageClassification(
        ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic", **named())
    )
    teacher = written(tmp_path / "resnet", model)
    narrow = StudentSpec(width_fraction=0.5)
    folder, scratch = places("refused")
    with pytest.raises(BadRequest, match="side by side"):
        distill(
            teacher,
            pictures,
            None,
            DistillSpec(method="hidden", max_steps=2, shrink=narrow, **HOW),
            folder,
            scratch=scratch,
            events=silent,
        )
    folder, scratch = places("taught")
    spec = DistillSpec(max_steps=2, shrink=narrow, **HOW)
    made = distill(teacher, pictures, None, spec, folder, scratch=scratch, events=silent)
    assert made.metrics["left_out"] > 0.5
    folder, scratch = places("zeros")
    sparse = PruneSpec(method="magnitude", sparsity=0.25, gate=GateSpec(max_quality_loss=1), **HOW)
    made = prune(teacher, pictures, sparse, folder, scratch=scratch, events=silent)
    assert made.metrics["left_out"] == pytest.approx(0.25, abs=0.02)
    with pytest.raises(BadRequest, match="no matrix"):
        wanda = PruneSpec(method="wanda", gate=GateSpec(max_quality_loss=1), **HOW)
        prune(teacher, pictures, wanda, *places("wanda")[:1], scratch=places("wanda")[1], events=silent)
