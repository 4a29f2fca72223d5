"""Batches cut from a corpus of packed tokens.

Documents stand one after another, each closed by the end token, so no position is padding
(https://arxiv.org/abs/2005.14165, section 2.2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from aictl.tokenizing.shards import Tokens
from aictl.training.batches import Batch, Order


class PackedBatches:
    """Batches of ``sequences`` windows of ``length`` tokens, in a new order and at new cuts in
    every epoch. Needs at least ``length + 1`` tokens."""

    def __init__(self, tokens: Tokens | np.ndarray, sequences: int, length: int, seed: int) -> None:
        self._tokens = tokens
        self._sequences = sequences
        self._length = length
        windows = (len(tokens) - 1) // length
        # One window is given up, where there are several, so that the cuts can move.
        self._order = Order(max(1, windows - 1), seed)
        self._slack = len(tokens) - 1 - self._order.count * length

    def __getitem__(self, position: int) -> Batch:
        first = position * self._sequences
        return stack([self._window(first + row) for row in range(self._sequences)])

    def _window(self, place: int) -> np.ndarray:
        epoch, item = self._order[place]
        shift = int(np.random.default_rng([7, epoch]).integers(min(self._slack, self._length) + 1))
        start = shift + item * self._length
        return self._tokens[start : start + self._length + 1]


def held_out(tokens: Tokens | np.ndarray, sequences: int, length: int, most: int) -> list[Batch]:
    """The first ``most`` tokens at the latest, in order, as batches; the last may be smaller, and
    a corpus shorter than ``length`` is one short window."""
    usable = min(len(tokens) - 1, most)
    length = min(length, usable)
    windows = [tokens[start : start + length + 1] for start in range(0, usable - length + 1, length)]
    return [stack(windows[row : row + sequences]) for row in range(0, len(windows), sequences)]


def stack(windows: Sequence[np.ndarray]) -> Batch:
    """Windows of one more token than positions, as inputs and the tokens that follow them."""
    ids = torch.from_numpy(np.stack(windows).astype(np.int64))
    return Batch(ids[:, :-1], ids[:, 1:], ids[:, 1:].numel())
