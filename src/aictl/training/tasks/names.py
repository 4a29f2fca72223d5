"""The tasks there are, and which of them a dataset is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import WrongKind

Task = Literal[
    "language-model",
    "text-classification",
    "embedding",
    "text-to-text",
    "image-classification",
    "object-detection",
    "image-text",
]

# The format of the dataset that a task learns from, and how one is made.
FORMATS: Mapping[Task, tuple[str, str]] = {
    "language-model": ("text", "make one with `aictl data prep FILES --format text`"),
    "text-classification": ("text", "make one with `aictl data prep FILES --format text`, and label it"),
    "embedding": ("pair", "make one with `aictl data prep FILES --format pair`"),
    "text-to-text": ("pair", "make one with `aictl data prep FILES --format pair`"),
    "image-classification": ("image", "make one with `aictl data prep FOLDER --format image`"),
    "object-detection": ("image", "make one with `aictl data prep FOLDER --format image`"),
    "image-text": ("image", "make one with `aictl data prep FOLDER --format image`"),
}


def task_of(dataset: Dataset, given: Task | None = None) -> Task:
    """The task that was ``given``, or that the dataset's documents are made for. Raises :class:`WrongKind` for a
    dataset that does not go with it."""
    task = given or _made_for(dataset)
    wanted, cure = FORMATS[task]
    if dataset.format != wanted:
        raise WrongKind(
            f"dataset '{dataset.label}' is of format {dataset.format}, and --task {task} learns from {wanted}",
            cure=cure,
        )
    return task


def _made_for(dataset: Dataset) -> Task:
    format: str = dataset.format
    if format == "image":
        first = next(dataset.documents("train"), {})
        if "boxes" in first:
            return "object-detection"
        return "image-text" if first.get("label") is None and first.get("caption") else "image-classification"
    if format == "pair":
        return "text-to-text"
    if format == "text":
        return "text-classification" if dataset.classes else "language-model"
    raise WrongKind(
        f"dataset '{dataset.label}' is of format {format}, which nothing is trained on from the start",
        cure="train on text first, then `aictl finetune` on this",
    )
