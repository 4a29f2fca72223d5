"""Which documents of one dataset are which of another.

Documents are paired in rounds, by less and less: first those that say the same, come from the same place and stand in
the same split, at last those that merely come from the same place. A document that stands there several times is
paired as often as it stands in both. In each round the hashes are taken in parts of ``PART``, so that beside them
only little is held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from aictl.data.looking.diff.fingerprints import Fingerprints, hash_of

PART = 1 << 20  # documents that are sorted at once
_ROUNDS = (  # by content, source, split
    (True, True, True),
    (True, True, False),
    (True, False, True),
    (True, False, False),
    (False, True, True),
    (False, True, False),
)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: an odd number whose multiples are far apart


class Match(NamedTuple):
    """What was found. ``counts`` are of documents by what became of them (``same``, ``moved``, ``renamed``,
    ``changed``, ``removed``, ``added``) and the names of the splits before and after, empty where there is none. A
    document that was moved and changed counts as changed, and one that was moved and renamed as moved.
    ``samples`` are numbers of documents before and after, -1 where there is none, by what became of them."""

    counts: Counter[tuple[str, str, str]]
    samples: dict[str, list[tuple[int, int]]]


def match(before: Fingerprints, after: Fingerprints, samples: int) -> Match:
    """Pair the documents of two datasets. Samples are those of the smallest hashes: as good as drawn at random, and
    the same every time."""
    left = (np.ones(len(before), bool), np.ones(len(after), bool))
    counts: Counter[tuple[str, str, str]] = Counter()
    drawn: dict[str, list[tuple[int, int, int]]] = {}

    def note(word: str, ones: np.ndarray, others: np.ndarray, keys: np.ndarray) -> None:
        first, second = _splits(before, ones), _splits(after, others)
        width = len(after.splits) + 1
        for code, count in zip(*np.unique(first * width + second, return_counts=True), strict=True):
            names = (*before.splits, "")[code // width], (*after.splits, "")[code % width]
            counts[(word, *names)] += int(count)
        least = np.argpartition(keys, samples)[:samples] if len(keys) > samples else np.arange(len(keys))
        rows = zip(keys[least].tolist(), ones[least].tolist(), others[least].tolist(), strict=True)
        drawn[word] = sorted([*drawn.get(word, []), *rows])[:samples]

    for by_content, by_source, by_split in _ROUNDS:
        for ones, others, keys in _pairs(before, after, left, (by_content, by_source, by_split)):
            left[0][ones] = left[1][others] = False
            stays = _names_equal(before, after, ones, others)
            if not by_content:
                note("changed", ones, others, keys)
                continue
            for word, which in (("same" if by_source else "renamed", stays), ("moved", ~stays)):
                if which.any():
                    note(word, ones[which], others[which], keys[which])
    for word, one, mask in (("removed", before, left[0]), ("added", after, left[1])):
        numbers = np.flatnonzero(mask)
        nowhere = np.full(len(numbers), -1)
        ones, others = (numbers, nowhere) if word == "removed" else (nowhere, numbers)
        if len(numbers):
            note(word, ones, others, one.contents[numbers] * _SPREAD)
    return Match(counts, {word: [(one, other) for _, one, other in rows] for word, rows in drawn.items()})


def _splits(one: Fingerprints, numbers: np.ndarray) -> np.ndarray:
    """The number of each one's split, and the number of all of them for a document that is not there."""
    return np.where(numbers < 0, len(one.splits), one.split_numbers(numbers))


def _names_equal(before: Fingerprints, after: Fingerprints, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    known = {name: place for place, name in enumerate(before.splits)}
    in_before = np.array([known.get(name, -1) for name in after.splits] or [-1])
    return before.split_numbers(ones) == in_before[after.split_numbers(others)]


def _pairs(
    before: Fingerprints, after: Fingerprints, left: tuple[np.ndarray, np.ndarray], by: tuple[bool, bool, bool]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Numbers before, numbers after, and keys of documents with one key, a part of them at a time."""
    parts = -(-max(int(left[0].sum()), int(left[1].sum())) // PART) or 1
    for part in range(parts):
        numbers, keys = zip(
            *(_part(one, mask, by, part, parts) for one, mask in zip((before, after), left, strict=True)), strict=True
        )
        at, to = paired(*keys)
        if len(at):
            yield numbers[0][at], numbers[1][to], keys[0][at]


def _part(
    one: Fingerprints, mask: np.ndarray, by: tuple[bool, bool, bool], part: int, parts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and keys of the documents that are left and whose keys fall into a part."""
    by_content, by_source, by_split = by
    found_numbers, found_keys = [], []
    for low in range(0, len(one), PART):
        numbers = np.flatnonzero(mask[low : low + PART]) + low
        keys = np.zeros(len(numbers), np.uint64)
        if by_content:
            keys += one.contents[numbers]
        if by_source:
            keys = keys * _SPREAD + one.sources[numbers]
        if by_split:
            names = np.array([hash_of(name.encode()) for name in one.splits] or [0], np.uint64)
            keys = keys * _SPREAD + names[one.split_numbers(numbers)]
        mine = (keys >> np.uint64(32)) % np.uint64(parts) == part
        found_numbers.append(numbers[mine])
        found_keys.append(keys[mine])
    if not found_keys:
        return np.empty(0, int), np.empty(0, np.uint64)
    return np.concatenate(found_numbers), np.concatenate(found_keys)


def paired(ones: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places of equal keys in two arrays: the first of a key with the first of it, the second with the second."""
    order, other_order = np.argsort(ones, kind="stable"), np.argsort(others, kind="stable")
    keys, other_keys = ones[order], others[other_order]
    which = np.arange(len(keys)) - np.searchsorted(keys, keys)  # of several of one key
    to = np.searchsorted(other_keys, keys) + which
    there = to < np.searchsorted(other_keys, keys, side="right")
    return order[there], other_order[to[there]]
