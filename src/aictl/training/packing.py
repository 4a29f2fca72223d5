"""Rows of one length, each filled with whole conversations, so that hardly any position is padding.

A row has room for the next token of each of its positions. Conversations are put into rows from the longest to the
shortest, each where it leaves the least room: best-fit decreasing, which needs at most 11/9 as many rows as the best
packing there is (https://doi.org/10.1137/0203025).
"""

from __future__ import annotations

import copy
from bisect import bisect_left, insort

import numpy as np

from aictl.training.batches import Order, Share, TokenBatch
from aictl.training.conversations import Conversations


def best_fit(lengths: np.ndarray, room: int) -> list[list[int]]:
    """The items of each row, by their index in ``lengths``, of which none is above ``room``."""
    rows: list[list[int]] = []
    open_rows: dict[int, list[int]] = {}  # rows by the room that is left in them
    left: list[int] = []  # the keys of open_rows, sorted
    for item in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[item])
        at = bisect_left(left, length)
        if at == len(left):
            rows.append([])
            row, space = len(rows) - 1, room
        else:
            space = left[at]
            row = open_rows[space].pop()
            if not open_rows[space]:
                del open_rows[space], left[at]
        rows[row].append(item)
        if space > length:
            if space - length not in open_rows:
                insort(left, space - length)
            open_rows.setdefault(space - length, []).append(row)
    return rows


class PackedConversations:
    """An endless stream of batches of ``size`` rows of ``width`` positions.

    How many conversations of which length make a row stays the same; which of that length they are, and the order of
    the rows, are new in every epoch. The rows that would not fill a batch are left out, others in every epoch.
    """

    def __init__(self, conversations: Conversations, size: int, width: int, seed: int) -> None:
        self._conversations = conversations
        self._width = width
        lengths = conversations.lengths() - 1
        rows = best_fit(lengths, width)
        self.rows = len(rows)
        self._size = min(size, len(rows))
        self._order = _Packings(lengths, rows, self._size, seed)
        self._share = Share()

    def __getitem__(self, position: int) -> TokenBatch:
        return self._conversations.packed(self._share.of(self._rows(position)), self._width)

    def shared(self, rank: int, ranks: int) -> PackedConversations:
        part = copy.copy(self)
        part._share = Share(rank, ranks)
        return part

    def named(self, position: int) -> str:
        return (
            f"conversations {', '.join(str(one + 1) for row in self._rows(position) for one in row)} of the train split"
        )

    def _rows(self, position: int) -> list[list[int]]:
        epoch, place = divmod(position, self._order.count // self._size)
        return self._order.rows(epoch, place * self._size, self._size)


class _Packings(Order):
    """The order of rows in an epoch, and which conversations lie in them."""

    def __init__(self, lengths: np.ndarray, rows: list[list[int]], size: int, seed: int) -> None:
        super().__init__(len(rows) // size * size, seed)
        self._packed, self._lengths = rows, lengths
        self._instead: np.ndarray = np.empty(0, np.int64)

    def arrange(self, generator: np.random.Generator) -> np.ndarray:
        # Sorted by length with ties in two orders: each conversation gives its place to another of its length.
        count = len(self._lengths)
        usual, shuffled = np.argsort(self._lengths, kind="stable"), np.lexsort((generator.random(count), self._lengths))
        self._instead = np.empty(count, np.int64)
        self._instead[usual] = shuffled
        return generator.permutation(len(self._packed))[: self.count]

    def rows(self, epoch: int, first: int, count: int) -> list[list[int]]:
        chosen = self.epoch(epoch)[first : first + count]
        return [self._instead[self._packed[row]].tolist() for row in chosen]
