"""Students whose vectors are compared learn what their teacher finds alike."""

from __future__ import annotations

import hashlib
import io
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from tests.model.networks import write
from transformers import AutoModel

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.core.errors import BadRequest, WrongKind
from aictl.core.events import silent
from aictl.inference.embedding import open_embedder
from aictl.optimize.distill.distill import distill
from aictl.optimize.distill.likeness import CaptionDistillation, TextDistillation, likeness_loss
from aictl.optimize.distill.losses import Mixture
from aictl.optimize.distill.spec import DistillSpec, StudentOptimizerSpec, StudentSpec
from aictl.optimize.prune.prune import prune
from aictl.optimize.prune.spec import PruneSpec
from aictl.optimize.teaching import TeachingSpec
from aictl.training.spec import LoopSpec, PictureSpec, PrecisionSpec
from aictl.training.tasks.classifiers import Teaching
from aictl.training.tasks.encoders import open_encoder

SEEN = ["cat", "paris", "kitchen", "floor", "city", "capital", "france", "warm"]
STILL = PictureSpec(flip=False, shift_fraction=0)
SPEC = DistillSpec(
    max_steps=60,
    teaching=TeachingSpec(batch_size=8),
    optimizer=StudentOptimizerSpec(learning_rate=3e-3),
    precision=PrecisionSpec(precision="fp32", device="cpu"),
    loop=LoopSpec(evaluate_every=100),
    shrink=StudentSpec(layers=1),
    pictures=STILL,
)
HOW = Teaching(8, 8, 16, STILL, 0)


def spec(**changes) -> DistillSpec:
    return DistillSpec.model_validate({**dict(SPEC), **changes})


def vectors(rows: int, width: int, seed: int = 0) -> torch.Tensor:
    drawn = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=-1)


def taught(capability, dataset, folder, steps):
    """A network that knows a dataset's train split by heart, and its lesson."""
    checkpoint = Checkpoint(write(folder, capability), name=capability)
    scratch = folder.parent / "scratch"
    scratch.mkdir()
    model, lesson = open_encoder(checkpoint, dataset, HOW, scratch=scratch, events=silent)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(steps):
        optimizer.zero_grad()
        batch = lesson.batches[step].to(torch.device("cpu"))
        (lesson.objective(model, batch) / batch.counted).backward()
        optimizer.step()
    model.save_pretrained(folder)
    return checkpoint, lesson


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("pairs")
    with DatasetWriter(folder, "pair") as writer:
        for split, asked in (("train", "what is {} ?"), ("train", "is {} of paris"), ("validation", "on {} .")):
            for thing in SEEN:
                writer.add(split, {"input": asked.format(thing), "output": f"my {thing}", "source": "test"})
    return Dataset(folder, name="pairs")


@pytest.fixture(scope="module")
def embedder(pairs, tmp_path_factory):
    return taught("embedding", pairs, tmp_path_factory.mktemp("embedder") / "model", 100)


@pytest.fixture(scope="module")
def captioned(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("captioned")
    with DatasetWriter(folder, "image") as writer:
        for seed, thing in enumerate(SEEN):
            file = io.BytesIO()
            pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST).save(file, "png")
            data = file.getvalue()
            known = {"width": 32, "height": 32, "mode": "RGB", "source": thing, "size_bytes": len(data)}
            name = f"{hashlib.sha256(data).hexdigest()}.png"
            for split in ("train", "validation"):
                writer.add(split, {"image": name, "caption": f"my {thing}", **known}, data)
    return Dataset(folder, name="captioned")


@pytest.fixture(scope="module")
def dual(captioned, tmp_path_factory):
    return taught("image-text", captioned, tmp_path_factory.mktemp("dual") / "model", 100)


def test_likeness_is_of_any_width_and_however_vectors_are_turned():
    theirs = vectors(6, 8)
    turned = theirs @ torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1)))[0]
    assert likeness_loss(turned, theirs, 2.0).item() == pytest.approx(0, abs=1e-4)
    assert likeness_loss(vectors(6, 4), theirs, 2.0).item() > 0.1


@pytest.mark.parametrize("kind", ["embedder", "dual"])
def test_of_a_copy_the_teacher_has_nothing_to_say(kind, request):
    checkpoint, lesson = request.getfixturevalue(kind)
    teacher, copy = (AutoModel.from_pretrained(checkpoint.folder).eval() for _ in range(2))
    batch = lesson.batches[0].to(torch.device("cpu"))
    plain = lesson.objective(copy, batch).item()
    for share in (0.0, 0.25, 1.0):
        mixture = Mixture(2.0, share)
        made = TextDistillation(teacher, mixture, "cls", "cls") if kind == "embedder" else None
        loss = (made or CaptionDistillation(teacher, mixture))(copy, batch)
        assert loss.item() == pytest.approx((1 - share) * plain, abs=1e-3)


def test_an_embedding_model_of_fewer_layers_learns_from_its_teacher(embedder, pairs, places):
    teacher, _ = embedder
    folder, scratch = places("fewer")
    made = distill(teacher, pairs, None, spec(baseline=True), folder, scratch=scratch, events=silent)
    made.check()
    figures = made.metrics
    assert made.capability == "embedding"
    assert figures["quality"]["measure"] == "recall@1"
    assert figures["parent"]["recall@1"] == 1 and figures["candidate"]["recall@1"] > 0.5
    assert 0 <= figures["baseline"]["recall@1"] <= 1
    assert figures["held_out"]["loss_after"] < figures["held_out"]["loss_before"]
    assert -1 <= figures["outputs"]["least_cosine"] <= 1


def test_the_vectors_of_a_narrower_student_are_narrower(embedder, pairs, places):
    teacher, _ = embedder
    folder, scratch = places("narrow")
    narrow = spec(shrink=StudentSpec(layers=1, width_fraction=0.5), max_steps=4)
    made = distill(teacher, pairs, None, narrow, folder, scratch=scratch, events=silent)
    assert set(made.metrics["outputs"]) == {"worst_likeness_difference"}
    pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
    assert pooling == {"word_embedding_dimension": 8, "pooling_mode_cls_token": True}
    found = open_embedder(folder, device="cpu")
    assert found.pooling == "cls" and found.encode(["my cat"]).vectors.shape == (1, 8)


def test_a_dual_encoder_of_fewer_layers_learns_from_its_teacher(dual, captioned, places):
    teacher, _ = dual
    folder, scratch = places("dual")
    made = distill(teacher, captioned, None, SPEC, folder, scratch=scratch, events=silent)
    made.check()
    figures = made.metrics
    assert made.capability == "image-text"
    assert [made.config[f"{half}_config"]["num_hidden_layers"] for half in ("text", "vision")] == [1, 1]
    assert figures["parent"]["recall@1"] == 1 and figures["candidate"]["recall@1"] > 0.5
    assert figures["held_out"]["loss_after"] < figures["held_out"]["loss_before"]
    assert -1 <= figures["outputs"]["least_cosine"] <= 1


def test_what_cannot_be_taught_is_refused(embedder, dual, pairs, captioned, places, tmp_path):
    def refused(kind, message, teacher, data, begin=None, **changes):
        folder, scratch = places("refused")
        with pytest.raises(kind, match=message):
            distill(teacher, data, begin, spec(**changes), folder, scratch=scratch, events=silent)

    texts, pictures = embedder[0], dual[0]
    refused(WrongKind, "of format image", texts, captioned)
    refused(WrongKind, "of format pair", pictures, pairs)
    refused(BadRequest, "--method hidden is for", texts, pairs, method="hidden")
    refused(BadRequest, "is the shape of a language model", texts, pairs, shrink=StudentSpec(preset="tiny"))
    other = tmp_path / "other"
    shutil.copytree(pictures.folder, other)
    path = other / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"size": {"height": 64, "width": 64}}))
    refused(BadRequest, "32 by 32", pictures, captioned, Checkpoint(other, name="other"), shrink=StudentSpec())
    folder, scratch = places("prune")
    with pytest.raises(WrongKind, match="optimize prune takes"):
        prune(texts, pairs, PruneSpec(sparsity=0.5), folder, scratch=scratch, events=silent)
