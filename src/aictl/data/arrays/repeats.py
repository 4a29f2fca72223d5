"""What stands more than once in a text, by hashes that come in the order of their texts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aictl.data.arrays.words import between, runs

_SPREAD = np.uint64(0x9FB21C651E98DF25)


class Groups(NamedTuple):
    """What stands more than once in a text: the place of the first of them, how many there are, and the number
    of the text."""

    first: np.ndarray
    counts: np.ndarray
    texts: np.ndarray


def repeated(hashes: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Whether each of the hashes stood in the same text before."""
    found = np.zeros(len(hashes), bool)
    order, starts, ends = _equals(hashes, texts)
    found[order[between(starts, ends)]] = True
    found[_firsts(order, starts, ends)] = False
    return found


def groups(hashes: np.ndarray, texts: np.ndarray) -> Groups:
    """The groups of two or more equal hashes of one text."""
    order, starts, ends = _equals(hashes, texts)
    first = _firsts(order, starts, ends)
    return Groups(first, ends - starts, texts[first])


def _equals(hashes: np.ndarray, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An order in which what is equal in one text stands together, and where each group of two or more begins
    and ends in it."""
    keys = hashes ^ (texts.astype(np.uint64) * _SPREAD)
    order = np.argsort(keys)
    keys = keys[order]
    starts, ends = runs(keys[1:] == keys[:-1])
    return order, starts, ends + 1


def _firsts(order: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The smallest place of each group."""
    if not len(starts):
        return np.empty(0, np.int64)
    edges = np.stack([starts, ends], axis=1).ravel()
    return np.minimum.reduceat(np.append(order, np.iinfo(np.int64).max), edges)[::2]
