from __future__ import annotations

import numpy as np
import pytest

from aictl.training.spec import PictureSpec
from aictl.training.tasks.augmentation import Augmentation

SIDE = 20


def spots(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures with one bright spot each, and its place (x, y) in shares of the side."""
    generator = np.random.default_rng(1)
    places = generator.integers(7, 13, (count, 2))
    pixels = np.zeros((count, SIDE, SIDE, 1), dtype=np.uint8)
    for row, (x, y) in enumerate(places):
        pixels[row, y - 1 : y + 2, x - 1 : x + 2] = 90
        pixels[row, y, x] = 250
    return pixels, (places + 0.5) / SIDE


@pytest.mark.parametrize(
    "spec",
    [
        PictureSpec(flip=True, shift_fraction=0),
        PictureSpec(flip=False, shift_fraction=0.2),
        PictureSpec(flip=True, shift_fraction=0.2),
        PictureSpec(flip=True, crop_fraction=0.8),
    ],
    ids=["flip", "shift", "both", "crop"],
)
def test_what_is_said_to_have_moved_is_where_it_is_now(spec):
    pixels, places = spots(64)
    augmentation = Augmentation(spec, seed=3)
    seen, moved = augmentation.apply(pixels.copy(), augmentation.draw(5, 64))
    expected = moved[:, :2] * places + moved[:, 2:]
    brightest = seen[..., 0].reshape(64, -1).argmax(axis=1)
    found = np.stack([brightest % SIDE, brightest // SIDE], axis=1) / SIDE + 0.5 / SIDE
    inside = ((expected > 0.05) & (expected < 0.95)).all(axis=1)
    assert inside.mean() > 0.8
    assert np.abs(found - expected)[inside].max() < 1.6 / SIDE
    assert np.abs(expected - places).max() > 0.1  # something did move


def test_changes_follow_from_the_seed_and_the_position_alone():
    spec = PictureSpec(crop_fraction=0.7)
    first, again, other = Augmentation(spec, 3), Augmentation(spec, 3), Augmentation(spec, 4)
    assert np.array_equal(first.draw(7, 4), again.draw(7, 4))
    assert not np.array_equal(first.draw(7, 4), first.draw(8, 4))
    assert not np.array_equal(first.draw(7, 4), other.draw(7, 4))


def test_nothing_changes_where_nothing_is_asked_for():
    pixels, _ = spots(8)
    augmentation = Augmentation(PictureSpec(flip=False, shift_fraction=0), 0)
    seen, moved = augmentation.apply(pixels.copy(), augmentation.draw(0, 8))
    assert np.array_equal(seen, pixels)
    assert moved.tolist() == [[1, 1, 0, 0]] * 8
