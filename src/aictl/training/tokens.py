"""Batches cut from a corpus of packed tokens.

Documents stand one after another, each closed by the end token, so no position is padding
(https://arxiv.org/abs/2005.14165, section 2.2).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch

from aictl.tokenizing.shards import Tokens
from aictl.training.attention import starts_of
from aictl.training.batches import NOTHING, Order, Share, TokenBatch


class PackedBatches:
    """Batches of ``sequences`` windows of ``length`` tokens, in a new order and at new cuts in
    every epoch. Needs at least ``length + 1`` tokens. With ``end``, the token that closes a document, the batches say
    where in a window the documents begin, and each is read for itself."""

    def __init__(
        self, tokens: Tokens | np.ndarray, sequences: int, length: int, seed: int, end: int | None = None
    ) -> None:
        self._end = end
        self._tokens = tokens
        self._sequences = sequences
        self._length = length
        windows = (len(tokens) - 1) // length
        # One window is given up, where there are several, so that the cuts can move.
        self._order = Order(max(1, windows - 1), seed)
        self._slack = len(tokens) - 1 - self._order.count * length
        self._share = Share()

    def __getitem__(self, position: int) -> TokenBatch:
        starts = self._share.of(self._starts(position))
        if not starts:
            return NOTHING
        return stack([self._tokens[start : start + self._length + 1] for start in starts], self._end)

    def shared(self, rank: int, ranks: int) -> PackedBatches:
        part = copy.copy(self)
        part._share = Share(rank, ranks)
        return part

    def named(self, position: int) -> str:
        starts = ", ".join(f"{start:,}" for start in self._starts(position))
        return f"the {self._length} tokens of the train split from each of {starts}"

    def _starts(self, position: int) -> list[int]:
        first = position * self._sequences
        return [self._start(place) for place in range(first, first + self._sequences)]

    def _start(self, place: int) -> int:
        epoch, item = self._order[place]
        shift = int(np.random.default_rng([7, epoch]).integers(min(self._slack, self._length) + 1))
        return shift + item * self._length


def held_out(
    tokens: Tokens | np.ndarray, sequences: int, length: int, most: int, end: int | None = None
) -> list[TokenBatch]:
    """The first ``most`` tokens at the latest, in order, as batches; the last may be smaller, and
    a corpus shorter than ``length`` is one short window."""
    usable = min(len(tokens) - 1, most)
    length = min(length, usable)
    windows = [tokens[start : start + length + 1] for start in range(0, usable - length + 1, length)]
    return [stack(windows[row : row + sequences], end) for row in range(0, len(windows), sequences)]


def stack(windows: Sequence[np.ndarray], end: int | None = None) -> TokenBatch:
    """Windows of one more token than positions, as inputs and the tokens that follow them."""
    ids = torch.from_numpy(np.stack(windows).astype(np.int64))
    starts = None if end is None else starts_of(ids[:, :-1], end)
    return TokenBatch(ids[:, :-1], ids[:, 1:], ids[:, 1:].numel(), starts)
