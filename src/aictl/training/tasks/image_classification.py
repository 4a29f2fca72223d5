"""Telling pictures apart: documents with a label, and a network with a head for their classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aictl.artifacts.dataset import Dataset
from aictl.core.events import Events
from aictl.training.objective import class_loss, judge_classes
from aictl.training.spec import PictureSpec
from aictl.training.tasks.augmentation import Augmentation
from aictl.training.tasks.labels import Labels
from aictl.training.tasks.lesson import Lesson
from aictl.training.tasks.picture_batches import HeldOutPictures, PictureBatches
from aictl.training.tasks.pictures import PictureBatch, PictureReader, Pictures
from aictl.training.tasks.prefetch import Prefetched
from aictl.training.tasks.scores import class_scores


def lesson(
    dataset: Dataset,
    processor: Any,
    *,
    pictures: PictureSpec,
    patches: int,
    whole: bool,
    batch_size: int,
    held_out: int,
    seed: int,
    scratch: Path,
    events: Events,
) -> Lesson:
    """Pictures as ``processor`` prepares them, ``batch_size`` at a time; at most ``held_out`` of the validation split
    are judged while it trains. ``patches`` are the positions that one is to the network; ``whole`` says that a batch
    must not be parted. Raises :class:`BadInput` for labels that cannot be learnt, :class:`Damaged` for a picture that
    cannot be read."""
    labels, reader = Labels(dataset), PictureReader(processor)
    learnt, tested = (
        LabelledPictures(dataset, split, labels, reader, patches=patches, scratch=scratch, events=events)
        for split in ("train", "validation")
    )
    everything = HeldOutPictures(tested, batch_size, len(tested))
    return Lesson(
        batches=Prefetched(PictureBatches(learnt, batch_size, seed, Augmentation(pictures, seed), whole=whole)),
        held_out=HeldOutPictures(tested, batch_size, held_out),
        examples=len(learnt),
        objective=class_loss,
        judge=judge_classes,
        examine=lambda model, compute: class_scores(model, everything, compute),
        primary="accuracy",
        facts={"classes": len(labels.names), "resolution": [reader.height, reader.width]},
    )


class LabelledPictures:
    """The labelled pictures of one split."""

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        labels: Labels,
        reader: PictureReader,
        *,
        patches: int,
        scratch: Path,
        events: Events,
    ) -> None:
        numbers = labels.numbers(dataset.documents(split), split)
        self._rows = labels.examples(numbers, split, events)
        self._numbers = numbers[self._rows]
        self._patches = patches
        self._pictures = Pictures(dataset, split, reader, scratch, events)

    def __len__(self) -> int:
        return len(self._rows)

    def pixels(self, rows: Sequence[int]) -> np.ndarray:
        return self._pictures.stack([int(self._rows[row]) for row in rows])

    def batch(self, rows: Sequence[int], pixels: np.ndarray, moved: np.ndarray | None, *, whole: bool) -> PictureBatch:
        made = self._pictures.batch_fields(pixels)
        fields = {"pixel_values": made.pop("pixels"), "labels": torch.from_numpy(self._numbers[list(rows)])}
        return PictureBatch(fields, torch.ones(len(rows), dtype=torch.int64), self._patches, whole, **made)

    def name(self, row: int) -> str:
        return str(int(self._rows[row]) + 1)
