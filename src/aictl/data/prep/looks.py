"""What is kept of pictures: the lines that a dataset has of them, how they look, and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aictl.data.documents import Image
from aictl.data.prep.shelf import Chunk


def row(image: Image) -> dict[str, Any]:
    """A picture as a line of a dataset says it."""
    found: dict[str, Any] = {
        "image": image.name,
        "size_bytes": len(image.data),
        "label": image.label,
        "width": image.width,
        "height": image.height,
        "mode": image.mode,
        "pixels": image.pixels.hex(),
        "looks": image.looks.hex(),
    }
    if image.caption is not None:
        found["caption"] = image.caption
    if image.boxes is not None:
        found["boxes"] = [{"label": label, "box": list(edges)} for label, edges in image.boxes]
    return found


def columns(images: Sequence[Image]) -> dict[str, np.ndarray]:
    """What is kept of some pictures to compare them: their labels, uint8 looks of shape (pictures, 16), and whether
    each has a caption and boxes."""
    looks = np.frombuffer(b"".join(one.looks for one in images), np.uint8).reshape(len(images), -1)
    return {
        "labels": np.array([one.label or "" for one in images]),
        "looks": looks,
        "captioned": np.array([one.caption is not None for one in images]),
        "boxed": np.array([one.boxes is not None for one in images]),
    }


def is_any(chunks: Sequence[Chunk], column: str) -> bool:
    """Whether any picture has captions (``captioned``) or boxes (``boxed``)."""
    return any(bool(chunk.column(column).any()) for chunk in chunks if len(chunk))


def looks_of(chunks: Sequence[Chunk]) -> np.ndarray:
    return np.concatenate([chunk.column("looks") for chunk in chunks if len(chunk)])


def labels_of(chunks: Sequence[Chunk]) -> tuple[list[str], np.ndarray]:
    """The labels that pictures have, sorted, and for each picture the number of its own; the empty one is none."""
    per_chunk = [np.unique(chunk.column("labels"), return_inverse=True) for chunk in chunks if len(chunk)]
    names = sorted({str(name) for found, _ in per_chunk for name in found})
    numbers = {name: number for number, name in enumerate(names)}
    parts = [np.array([numbers[str(name)] for name in found])[inverse] for found, inverse in per_chunk]
    return names, np.concatenate(parts) if parts else np.empty(0, int)
