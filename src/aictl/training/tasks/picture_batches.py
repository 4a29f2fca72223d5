"""Streams of batches of pictures, whatever the documents say of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from aictl.training.batches import Order, Share
from aictl.training.tasks.augmentation import Augmentation
from aictl.training.tasks.lesson import spread
from aictl.training.tasks.pictures import PictureBatch


class KnownPictures(Protocol):
    """The pictures of one split with what a task knows of them."""

    def __len__(self) -> int: ...

    def pixels(self, rows: Sequence[int]) -> np.ndarray:
        """uint8 of shape (rows, height, width, channels), nobody else's to change."""
        ...

    def batch(self, rows: Sequence[int], pixels: np.ndarray, moved: np.ndarray | None, *, whole: bool) -> PictureBatch:
        """A batch of these rows with pixels of which what they show was ``moved``, as an augmentation says, or not
        at all."""
        ...

    def name(self, row: int) -> str: ...


class PictureBatches:
    """An endless stream of batches of ``size`` pictures, in a new order and changed anew in every epoch."""

    def __init__(
        self, pictures: KnownPictures, size: int, seed: int, augmentation: Augmentation, *, whole: bool
    ) -> None:
        self._pictures, self._augmentation, self._whole = pictures, augmentation, whole
        self._size = min(size, len(pictures))
        self._order = Order(len(pictures), seed)
        self._share = Share()

    def __getitem__(self, position: int) -> PictureBatch:
        rows = self._share.of(self._rows(position))
        drawn = self._augmentation.draw(position, self._size)[self._share.rank :: self._share.ranks]
        pixels, moved = self._augmentation.apply(self._pictures.pixels(rows), drawn)
        return self._pictures.batch(rows, pixels, moved, whole=self._whole)

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
    """At most ``most`` pictures of a split in order, in batches that are made when they are looked at. A last batch of
    less than ``fewest`` is left out."""

    def __init__(self, pictures: KnownPictures, size: int, most: int, fewest: int = 1) -> None:
        self._pictures, self._size = pictures, max(size, fewest)
        rows = spread(len(pictures), max(most, fewest))
        self._rows = rows[: len(rows) - len(rows) % self._size] if len(rows) % self._size < fewest else rows

    def __len__(self) -> int:
        return math.ceil(len(self._rows) / self._size)

    def __getitem__(self, number: Any) -> Any:
        if not 0 <= number < len(self):
            raise IndexError(number)
        rows = self._rows[number * self._size : (number + 1) * self._size].tolist()
        return self._pictures.batch(rows, self._pictures.pixels(rows), None, whole=False)

    def __iter__(self) -> Iterator[PictureBatch]:
        return (self[number] for number in range(len(self)))
