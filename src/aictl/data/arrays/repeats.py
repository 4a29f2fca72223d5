"""What stands more than once in a text, by hashes that come in the order of their texts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aictl.data.arrays.hashing import mixed

_SPREAD = np.uint64(0x9FB21C651E98DF25)
_ROOM = 2  # slots of a table for each hash that is put into it


class Groups(NamedTuple):
    """What stands more than once in a text: the place of the first of them, how many there are, and the number
    of the text."""

    first: np.ndarray
    counts: np.ndarray
    texts: np.ndarray


def first_places(hashes: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """For each hash the place of the first that is the same in the same text: its own, where it is that.

    Every hash goes to a slot of a table, which keeps the smallest place; those that lost their slot to another
    hash are done again among themselves. Sorting would take three times as long.
    """
    keys = mixed(hashes ^ (texts.astype(np.uint64) * _SPREAD))
    first = np.arange(len(keys))
    open, own = first, keys
    while len(open):
        bits = max(4, (_ROOM * len(open) - 1).bit_length())
        slots = (own >> np.uint64(64 - bits)).astype(np.int64)
        table = np.full(1 << bits, len(keys))
        np.minimum.at(table, slots, open)
        found = table[slots]
        other = keys[found] != keys[open]
        first[open[~other]] = found[~other]
        open, own = open[other], mixed(own[other] * _SPREAD)  # which gives them other slots
    return first


def repeated(hashes: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Whether each of the hashes stood in the same text before."""
    return first_places(hashes, texts) != np.arange(len(hashes))


def groups(hashes: np.ndarray, texts: np.ndarray) -> Groups:
    """The groups of two or more equal hashes of one text."""
    first = first_places(hashes, texts)
    counts = np.bincount(first, minlength=len(first))
    some = np.flatnonzero(counts > 1)
    return Groups(some, counts[some], texts[some])
