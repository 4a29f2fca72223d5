"""Telling pictures apart: documents with a label, and a network with a head for their classes."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aictl.artifacts.dataset import Dataset
from aictl.core.events import Events
from aictl.training.batches import Order, Share
from aictl.training.objective import class_loss, judge_classes
from aictl.training.spec import PictureSpec
from aictl.training.tasks.augmentation import Augmentation
from aictl.training.tasks.labels import Labels
from aictl.training.tasks.lesson import Lesson, spread
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

    def batch(self, rows: Sequence[int], pixels: np.ndarray, *, whole: bool = False) -> PictureBatch:
        made = self._pictures.batch_fields(pixels)
        fields = {"pixel_values": made.pop("pixels"), "labels": torch.from_numpy(self._numbers[list(rows)])}
        return PictureBatch(fields, torch.ones(len(rows), dtype=torch.int64), self._patches, whole, **made)

    def name(self, row: int) -> str:
        return str(int(self._rows[row]) + 1)


class PictureBatches:
    """An endless stream of batches of ``size`` pictures, in a new order and changed anew in every epoch."""

    def __init__(
        self, pictures: LabelledPictures, size: int, seed: int, augmentation: Augmentation, *, whole: bool
    ) -> None:
        self._pictures, self._augmentation, self._whole = pictures, augmentation, whole
        self._size = min(size, len(pictures))
        self._order = Order(len(pictures), seed)
        self._share = Share()

    def __getitem__(self, position: int) -> PictureBatch:
        rows = self._share.of(self._rows(position))
        drawn = self._augmentation.draw(position, self._size)[self._share.rank :: self._share.ranks]
        pixels = self._augmentation.apply(self._pictures.pixels(rows), drawn)
        return self._pictures.batch(rows, pixels, whole=self._whole)

    def shared(self, rank: int, ranks: int) -> PictureBatches:
        part = copy.copy(self)
        part._share = Share(rank, ranks)
        return part

    def named(self, position: int) -> str:
        return f"pictures {', '.join(map(self._pictures.name, self._rows(position)))} of the train split"

    def _rows(self, position: int) -> list[int]:
        first = position * self._size
        return [self._order[place][1] for place in range(first, first + self._size)]


class HeldOutPictures(Sequence[PictureBatch]):
    """At most ``most`` pictures of a split in order, in batches that are made when they are looked at."""

    def __init__(self, pictures: LabelledPictures, size: int, most: int) -> None:
        self._pictures, self._size = pictures, size
        self._rows = spread(len(pictures), most)

    def __len__(self) -> int:
        return math.ceil(len(self._rows) / self._size)

    def __getitem__(self, number: Any) -> Any:
        if not 0 <= number < len(self):
            raise IndexError(number)
        rows = self._rows[number * self._size : (number + 1) * self._size].tolist()
        return self._pictures.batch(rows, self._pictures.pixels(rows))

    def __iter__(self) -> Iterator[PictureBatch]:
        return (self[number] for number in range(len(self)))
