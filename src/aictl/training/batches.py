"""Batch: token ids with the token that should follow each of them; Batches: an endless stream.

The stream is a function of the seed and a position alone, so that a resumed run sees exactly what
the uninterrupted one would have seen, with nothing saved but the position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

IGNORED = -100  # torch's own mark of a position without a target


@dataclass(frozen=True)
class Batch:
    """``inputs`` and ``targets`` are int64 of shape (sequences, positions); a target is the token
    that should follow its position, or ``IGNORED``. ``counted`` is the number of real targets."""

    inputs: torch.Tensor
    targets: torch.Tensor
    counted: int

    @property
    def dense(self) -> bool:
        """Whether every position has a target."""
        return self.counted == self.targets.numel()

    def parts(self, most: int) -> list[Batch]:
        """The batch in parts of at most ``most`` positions, or of one sequence, which bounds the
        memory that a step takes. What comes after the last target of a part is left out: nothing
        that is learnt depends on it."""
        rows = max(1, most // self.inputs.shape[1])
        parts = []
        for inputs, targets in zip(self.inputs.split(rows), self.targets.split(rows), strict=True):
            wanted = targets != IGNORED
            counted = int(wanted.sum())
            if counted:
                width = int(wanted.any(dim=0).nonzero().max()) + 1
                parts.append(Batch(inputs[:, :width], targets[:, :width], counted))
        return parts

    def to(self, device: torch.device) -> Batch:
        if device.type == "cpu":
            return self
        return Batch(self.inputs.to(device), self.targets.to(device), self.counted)


class Batches(Protocol):
    """An endless stream of batches that can be entered anywhere."""

    def __getitem__(self, position: int) -> Batch: ...


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
