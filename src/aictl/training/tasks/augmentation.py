"""Changing pictures a little each time they are seen, by the seed and a position alone."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from aictl.training.spec import PictureSpec

_STREAM = 11  # keeps these random numbers apart from those of the order


class Augmentation:
    """Mirrors, shifts and zooms batches of pictures as the options say."""

    def __init__(self, spec: PictureSpec, seed: int) -> None:
        self._spec, self._seed = spec, seed

    def draw(self, position: int, count: int) -> np.ndarray:
        """Four numbers in [0, 1) for each of the ``count`` rows of the batch at a position."""
        return np.random.default_rng([self._seed, _STREAM, position]).random((count, 4))

    def apply(self, pixels: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels, uint8 of shape (rows, height, width, channels), changed by their rows of :meth:`draw`, and where
        what they show went: ``moved`` of shape (rows, 4) takes a place (x, y), in shares of the width and height, to
        ``moved[:2] * place + moved[2:]``."""
        moved = np.tile([1.0, 1.0, 0.0, 0.0], (len(pixels), 1))
        mirrored, down, right, zoomed = drawn.T
        if self._spec.flip:
            rows = np.flatnonzero(mirrored < 0.5)
            pixels[rows] = pixels[rows, :, ::-1]
            moved[rows, 0], moved[rows, 2] = -1.0, 1.0
        if self._spec.crop_fraction < 1:
            _zoomed(pixels, moved, 1 - (1 - self._spec.crop_fraction) * zoomed, down, right)
        elif self._spec.shift_fraction:
            _shifted(pixels, moved, self._spec.shift_fraction, down, right)
        return pixels, moved


def _shifted(pixels: np.ndarray, moved: np.ndarray, fraction: float, down: np.ndarray, right: np.ndarray) -> None:
    """Move by up to a fraction of the height and width; what comes in is the colour of the edge."""
    height, width = pixels.shape[1:3]
    most = (round(height * fraction), round(width * fraction))
    padded = np.pad(pixels, ((0, 0), (most[0],) * 2, (most[1],) * 2, (0, 0)), mode="edge")
    tops = (down * (2 * most[0] + 1)).astype(int)
    lefts = (right * (2 * most[1] + 1)).astype(int)
    for row, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        pixels[row] = padded[row, top : top + height, left : left + width]
        moved[row, 2:] += (most[1] - left) / width, (most[0] - top) / height


def _zoomed(pixels: np.ndarray, moved: np.ndarray, sides: np.ndarray, down: np.ndarray, right: np.ndarray) -> None:
    """Draw a window of each picture, of a share ``sides`` of its height and width, at the size of the whole."""
    height, width = pixels.shape[1:3]
    for row, side in enumerate(sides):
        tall, wide = max(1, round(height * side)), max(1, round(width * side))
        top, left = int(down[row] * (height - tall + 1)), int(right[row] * (width - wide + 1))
        window = torch.from_numpy(pixels[row, top : top + tall, left : left + wide].copy()).permute(2, 0, 1)[None]
        drawn = F.interpolate(window.float(), size=(height, width), mode="bilinear", align_corners=False)
        pixels[row] = drawn[0].round().to(torch.uint8).permute(1, 2, 0).numpy()
        scale = np.array([width / wide, height / tall])
        moved[row] = np.concatenate([moved[row, :2] * scale, (moved[row, 2:] - (left / width, top / height)) * scale])
