"""Which pictures look alike: all pairs whose looks differ in few bits, joined into clusters.

Two looks that differ in ``r`` bits at most are equal in one of any ``r + 1`` bands that all bits are dealt out to, so
that only those that share a band are held against each other (multi-index hashing, Norouzi, Punjani and Fleet 2013,
https://arxiv.org/abs/1307.2982). None is missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np

from aictl.data.duplicates.clusters import Match

BITS = 128
MOST_BANDS = 13  # of 9 bits or more; with shorter ones all may as well be held against all
_EDGES_AT_ONCE = 1 << 16
# Neighbouring places go to different bands: much of many pictures is empty, and a band of nothing brings all up.
_ORDER = np.arange(BITS) * 77 % BITS


def clusters(looks: np.ndarray, share: float) -> tuple[np.ndarray, list[Match]]:
    """The number of the first picture of each one's cluster, for uint8 looks of shape (pictures, 16) and the ``share``
    of their bits that are the same; and of every other picture, one that it is like."""
    words = np.ascontiguousarray(looks).view("<u8").reshape(-1, 2)
    _, first, of = np.unique(words, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    first, of = first[order], np.argsort(order)[of.reshape(-1)]  # the different looks by who has them first
    joined = _Joined(len(first))
    most = int((1 - share) * BITS + 1e-9)
    for ones, others, bits in _pairs(looks[first], words[first], most, joined):
        joined.add(ones, others, bits)
    joined.flush()
    found = first[joined.parents[of]]
    matches = []
    for number in np.flatnonzero(found != np.arange(len(found))).tolist():
        same = int(first[of[number]])
        nearest = int(first[joined.nearest[of[number]]])
        like, bits_apart = (same, 0) if same != number else (nearest, int(joined.bits[of[number]]))
        matches.append(Match(number, like, 1 - bits_apart / BITS))
    return found, matches


class _Joined:
    """Clusters of different looks, each known by its first; ``nearest`` is the nearest that each was held against, and
    in how many ``bits`` they differ."""

    def __init__(self, size: int) -> None:
        self.parents = np.arange(size)
        self.nearest = np.arange(size)
        self.bits = np.full(size, BITS + 1)
        self._edges: list[tuple[np.ndarray, np.ndarray]] = []
        self._waiting = 0

    def add(self, ones: np.ndarray, others: np.ndarray, bits: np.ndarray) -> None:
        for own, other in ((ones, others), (others, ones)):
            nearer = bits < self.bits[own]  # within a call, each stands on a side once
            self.nearest[own[nearer]], self.bits[own[nearer]] = other[nearer], bits[nearer]
        self._edges.append((ones, others))
        self._waiting += len(ones)
        if self._waiting >= _EDGES_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if not self._edges:
            return
        ones, others = (np.concatenate(side) for side in zip(*self._edges, strict=True))
        self._edges, self._waiting = [], 0
        while True:
            low, high = self.parents[ones], self.parents[others]
            apart = low != high
            if not apart.any():
                return
            ones, others, low, high = ones[apart], others[apart], low[apart], high[apart]
            np.minimum.at(self.parents, np.maximum(low, high), np.minimum(low, high))
            while (self.parents[self.parents] != self.parents).any():
                self.parents = self.parents[self.parents]


def _pairs(
    looks: np.ndarray, words: np.ndarray, most: int, joined: _Joined
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of looks that differ in ``most`` bits, the earlier one first, and in how many; but for those that are known
    to be of one cluster."""
    bits = np.unpackbits(looks, axis=1)
    bands = most + 1 if most < MOST_BANDS else 1
    for band in range(bands):
        keys = _keys(bits[:, _ORDER[band::bands]]) if bands > 1 else np.zeros(len(looks), np.uint64)
        order = np.argsort(keys, kind="stable")
        keys, sorted_words = keys[order], words[order]
        places = np.arange(len(keys))
        for step in count(1):
            places = places[: np.searchsorted(places, len(keys) - step)]
            places = places[keys[places] == keys[places + step]]
            if not len(places):
                break
            held = places[joined.parents[order[places]] != joined.parents[order[places + step]]]
            apart = np.bitwise_count(sorted_words[held] ^ sorted_words[held + step]).sum(axis=1, dtype=np.int64)
            near = apart <= most
            if near.any():
                yield order[held[near]], order[held[near] + step], apart[near]


def _keys(bits: np.ndarray) -> np.ndarray:
    """64 bits or fewer of each row as a number; of more, those that are left out bring up too many and miss none."""
    packed = np.zeros((len(bits), 8), np.uint8)
    found = np.packbits(bits[:, :64], axis=1)
    packed[:, : found.shape[1]] = found
    return packed.view("<u8").reshape(-1)
