"""Pictures in the terms in which texts are compared: how alike they look, and what label they have.

The 128 bits of a picture's looks stand for the bins of a signature: two pictures agree in a bin with a probability
that is the share of bits that they have in common. As a set, a picture has a member for each place and the bit there,
so that a share ``s`` of common bits is a Jaccard similarity of ``s / (2 - s)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aictl.data.documents import Image
from aictl.data.duplicates.signatures import BINS, band_keys, bands_for
from aictl.data.prep.shelf import Chunk

# Neighbouring places go to different bands: much of many pictures is empty, and a band of nothing brings all up.
_ORDER = np.arange(BINS) * 77 % BINS


def row(image: Image) -> dict[str, Any]:
    """A picture as a line of a dataset says it."""
    return {
        "image": image.name,
        "size_bytes": len(image.data),
        "label": image.label,
        "width": image.width,
        "height": image.height,
        "mode": image.mode,
        "pixels": image.pixels.hex(),
        "looks": image.looks.hex(),
    }


def columns(images: Sequence[Image], share: float | None) -> dict[str, np.ndarray]:
    """What is kept of some pictures to compare them: their labels, and if it is asked which have a ``share`` of their
    looks in common, these and their band keys."""
    found: dict[str, np.ndarray] = {"labels": np.array([one.label or "" for one in images])}
    if share:
        looks = np.frombuffer(b"".join(one.looks for one in images), np.uint8).reshape(len(images), -1)
        bits = np.unpackbits(looks, axis=1)[:, _ORDER].astype(np.uint64)
        found |= {"looks": looks, "keys": band_keys(bits, np.ones(len(images), int), bands_for(share))}
    return found


class Members:
    """The set that stands for a picture, by its number over all chunks."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._looks = np.concatenate([chunk.column("looks") for chunk in chunks if len(chunk)])

    def __call__(self, number: int) -> np.ndarray:
        return np.arange(0, 2 * BINS, 2) + np.unpackbits(self._looks[number])


def jaccard_of(share: float) -> float:
    """The Jaccard similarity of sets, from the share of bits that two pictures have in common."""
    return share / (2 - share)


def share_of(jaccard: float) -> float:
    return 2 * jaccard / (1 + jaccard)


def labels_of(chunks: Sequence[Chunk]) -> tuple[list[str], np.ndarray]:
    """The labels that pictures have, sorted, and for each picture the number of its own; the empty one is none."""
    per_chunk = [np.unique(chunk.column("labels"), return_inverse=True) for chunk in chunks if len(chunk)]
    names = sorted({str(name) for found, _ in per_chunk for name in found})
    numbers = {name: number for number, name in enumerate(names)}
    parts = [np.array([numbers[str(name)] for name in found])[inverse] for found, inverse in per_chunk]
    return names, np.concatenate(parts) if parts else np.empty(0, int)
