"""Batch: what one step learns from; Batches: an endless stream of them.

The stream is a function of the seed and a position alone, so that a resumed run sees exactly what
the uninterrupted one would have seen, with nothing saved but the position. Several processes share
each batch's rows, so that the data's order does not depend on how many they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import torch

IGNORED = -100  # torch's own mark of a position without a target
T = TypeVar("T")


class Batch(Protocol):
    """Rows that go through the model together. The loss of a batch is a sum over its ``counted``
    targets; ``positions`` is how much there is to compute: tokens, or patches of pictures."""

    @property
    def counted(self) -> int: ...

    @property
    def rows(self) -> int: ...

    @property
    def positions(self) -> int: ...

    def parts(self, most: int) -> Sequence[Self]:
        """The batch in parts of at most ``most`` positions, or of one row, which bounds the memory
        that a step takes. A batch whose loss is none of a sum over its rows is its only part."""
        ...

    def to(self, device: torch.device) -> Self: ...


class Batches(Protocol):
    """An endless stream of batches that can be entered anywhere."""

    def __getitem__(self, position: int) -> Any: ...

    def shared(self, rank: int, ranks: int) -> Batches:
        """The same stream, of whose every batch only the rows of one of ``ranks`` processes come: none at all where
        there are fewer rows."""
        ...

    def named(self, position: int) -> str:
        """What a batch is made of, for a person who looks for what is wrong with it."""
        ...


@dataclass(frozen=True)
class TokenBatch:
    """``inputs`` and ``targets`` are int64 of shape (sequences, positions); a target is the token
    that should follow its position, or ``IGNORED``. ``counted`` is the number of real targets. Where several documents
    share a row, ``starts``, of the same shape, is where in its row the document of a position begins; it stays on the
    CPU."""

    inputs: torch.Tensor
    targets: torch.Tensor
    counted: int
    starts: torch.Tensor | None = None

    @property
    def dense(self) -> bool:
        """Whether every position has a target."""
        return self.counted == self.targets.numel()

    @property
    def rows(self) -> int:
        return len(self.inputs)

    @property
    def width(self) -> int:
        """Tokens of a sequence."""
        return self.inputs.shape[1]

    @property
    def positions(self) -> int:
        return self.inputs.numel()

    def parts(self, most: int) -> list[TokenBatch]:
        """What comes after the last target of a part is left out: nothing that is learnt depends on it."""
        rows = max(1, most // self.inputs.shape[1])
        parts = []
        for first in range(0, len(self.inputs), rows):
            inputs, targets = self.inputs[first : first + rows], self.targets[first : first + rows]
            wanted = targets != IGNORED
            counted = int(wanted.sum())
            if counted:
                width = int(wanted.any(dim=0).nonzero().max()) + 1
                starts = None if self.starts is None else self.starts[first : first + rows, :width]
                parts.append(TokenBatch(inputs[:, :width], targets[:, :width], counted, starts))
        return parts

    def to(self, device: torch.device) -> TokenBatch:
        if device.type == "cpu":
            return self
        return TokenBatch(self.inputs.to(device), self.targets.to(device), self.counted, self.starts)


NOTHING = TokenBatch(torch.empty(0, 1, dtype=torch.long), torch.empty(0, 1, dtype=torch.long), 0)


@dataclass(frozen=True)
class FieldBatch:
    """Rows of what a model's ``forward`` takes by name: pixels, token ids, masks, labels. Tensors have the row
    first; what is no tensor is a list with an entry a row. ``counts`` are the targets of each row, int64 of shape
    (rows,), and ``width`` the positions of one. ``whole`` says that the loss compares the rows with one another, so
    that they must not be parted."""

    fields: Mapping[str, torch.Tensor | list[Any]]
    counts: torch.Tensor
    width: int
    whole: bool = False

    @property
    def counted(self) -> int:
        return int(self.counts.sum())

    @property
    def rows(self) -> int:
        return len(self.counts)

    @property
    def positions(self) -> int:
        return len(self.counts) * self.width

    def parts(self, most: int) -> list[Self]:
        rows = max(1, most // self.width)
        if self.whole or rows >= len(self.counts):
            return [self]
        return [self._part(slice(start, start + rows)) for start in range(0, len(self.counts), rows)]

    def _part(self, rows: slice) -> Self:
        fields = {name: values[rows] for name, values in self.fields.items()}
        return replace(self, fields=fields, counts=self.counts[rows])

    def to(self, device: torch.device) -> Self:
        if device.type == "cpu":
            return self
        return replace(self, fields={name: _moved(value, device) for name, value in self.fields.items()})


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {name: _moved(one, device) for name, one in value.items()}
    return [_moved(one, device) for one in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Share:
    """Which rows of every batch one of several processes takes: every so manieth, so that rows sorted by length
    fall evenly."""

    rank: int = 0
    ranks: int = 1

    def of(self, rows: Sequence[T]) -> Sequence[T]:
        return rows[self.rank :: self.ranks]


class Order:
    """A new random order of ``count`` items in every epoch, by the seed alone."""

    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        self._seed = seed
        self._epoch = -1
        self._order: np.ndarray = np.empty(0, dtype=np.int64)

    def generator(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, epoch])

    def epoch(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            self._order = self.arrange(self.generator(epoch))
            self._epoch = epoch
        return self._order

    def arrange(self, generator: np.random.Generator) -> np.ndarray:
        return generator.permutation(self.count)

    def __getitem__(self, position: int) -> tuple[int, int]:
        """(epoch, item) at a position of the endless stream."""
        epoch, place = divmod(position, self.count)
        return epoch, int(self.epoch(epoch)[place])
