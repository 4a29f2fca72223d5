from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from aictl.core.errors import BadRequest
from aictl.core.events import Events, Started, silent
from aictl.training.spec import PictureSpec
from aictl.training.tasks import image_classification, pictures
from aictl.training.tasks.pictures import PictureReader, Pictures


def processor(side: int = 24) -> ViTImageProcessorPil:
    mean, deviation = [0.1, 0.5, 0.9], [0.2, 0.5, 0.3]
    return ViTImageProcessorPil(size={"height": side, "width": side}, image_mean=mean, image_std=deviation)


def lesson(dataset, scratch, **changes):
    scratch.mkdir(exist_ok=True)
    values = {
        "pictures": PictureSpec(),
        "patches": 4,
        "whole": False,
        "batch_size": 12,
        "held_out": 20,
        "seed": 3,
        "scratch": scratch,
        "events": silent,
    }
    return image_classification.lesson(dataset, processor(), **(values | changes))


def test_what_the_model_gets_is_what_its_processor_makes(bars, tmp_path):
    made = lesson(bars, tmp_path / "scratch")
    batch = made.held_out[0].to(torch.device("cpu"))
    files = [data for _, data in bars.pictures("validation")]
    theirs = processor()(Image.open(__import__("io").BytesIO(files[0])).convert("RGB"), return_tensors="np")
    np.testing.assert_allclose(batch.fields["pixel_values"][0].numpy(), theirs["pixel_values"][0], atol=1e-5)
    assert batch.fields["pixel_values"].shape == (12, 3, 24, 24)


def test_pictures_that_are_not_kept_are_the_same(bars, tmp_path, monkeypatch):
    kept = lesson(bars, tmp_path / "kept").batches[5]
    assert (tmp_path / "kept" / "train.pixels.npy").exists()
    monkeypatch.setattr(pictures, "KEPT_BYTES", 0)
    decoded = lesson(bars, tmp_path / "decoded").batches[5]
    assert not (tmp_path / "decoded" / "train.pixels.npy").exists()
    assert torch.equal(kept.fields["pixel_values"], decoded.fields["pixel_values"])
    assert torch.equal(kept.fields["labels"], decoded.fields["labels"])


def test_pictures_are_decoded_once(bars, tmp_path):
    told: list[object] = []
    reader = PictureReader(processor())
    for _ in range(2):
        Pictures(bars, "train", reader, tmp_path, Events(told.append))
    assert [event.task for event in told if isinstance(event, Started)] == ["decode train"]


@pytest.mark.parametrize("ranks", [2, 3])
def test_processes_share_what_one_alone_would_see(bars, tmp_path, ranks):
    alone = lesson(bars, tmp_path / "scratch").batches
    shares = [alone.shared(rank, ranks) for rank in range(ranks)]
    for position in (0, 9, 2):
        whole = alone[position].fields
        parts = [share[position].fields for share in shares]
        for name in ("labels", "pixel_values"):
            for rank, part in enumerate(parts):
                assert torch.equal(part[name], whole[name][rank::ranks])


def test_an_epoch_shows_every_picture_once(bars, tmp_path):
    made = lesson(bars, tmp_path / "scratch", pictures=PictureSpec(flip=False, shift_fraction=0), batch_size=9)
    seen = torch.cat([made.batches[position].fields["pixel_values"] for position in range(10)])
    assert len(torch.unique(seen, dim=0)) == 90


def test_a_processor_that_lets_sizes_differ_is_refused():
    odd = CLIPImageProcessorPil(size={"shortest_edge": 24}, do_center_crop=False)
    with pytest.raises(BadRequest, match="lets pictures differ in size"):
        PictureReader(odd)


def test_a_part_of_a_batch_keeps_how_it_is_normalised(bars, tmp_path):
    batch = lesson(bars, tmp_path / "scratch").held_out[0]
    whole = batch.to(torch.device("cpu")).fields["pixel_values"]
    parts = [part.to(torch.device("cpu")).fields["pixel_values"] for part in batch.parts(20)]
    assert len(parts) == 3
    assert torch.equal(torch.cat(parts), whole)
