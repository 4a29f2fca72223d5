"""Which documents are near-duplicates of one another: likely pairs, verified one by one, joined into clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from aictl.data.duplicates.signatures import jaccard

KEYS_AT_ONCE = 1 << 24  # keys of a band that are sorted together; more are taken by their first bits, in turn
MOST_APART = 16  # documents of one bucket, none similar to another, that each further one is held against

# The band keys of the documents, a block of them at a time and in order: uint64 of shape (documents, bands).
KeyBlocks = Callable[[], Iterator[np.ndarray]]
# The different shingles of a document, sorted.
ShinglesOf = Callable[[int], np.ndarray]


class Match(NamedTuple):
    """Document ``number`` is a near-duplicate of the earlier one ``of``, with this Jaccard similarity."""

    number: int
    of: int
    similarity: float


class Clusters:
    """A union of sets over ``count`` documents; a cluster is known by its first document."""

    def __init__(self, count: int) -> None:
        self.parents = np.arange(count)

    def first(self, number: int) -> int:
        """The first document of the cluster that a document is in."""
        parents = self.parents
        root = number
        while parents[root] != root:
            root = int(parents[root])
        while parents[number] != root:
            parents[number], number = root, int(parents[number])
        return root

    def join(self, one: int, other: int) -> None:
        one, other = self.first(one), self.first(other)
        self.parents[max(one, other)] = min(one, other)

    def firsts(self) -> np.ndarray:
        """The first document of every document's cluster."""
        parents = self.parents
        while not np.array_equal(parents, parents[parents]):
            parents = parents[parents]
        self.parents = parents
        return parents


def cluster(
    blocks: KeyBlocks,
    count: int,
    shingles_of: ShinglesOf,
    threshold: float,
) -> tuple[Clusters, list[Match]]:
    """Join all of ``count`` documents whose shingles have a Jaccard similarity of ``threshold`` or more, as far
    as the bands bring them up, and say by which pairs."""
    clusters = Clusters(count)
    matches: list[Match] = []
    refused: set[tuple[int, int]] = set()

    def similar(one: int, other: int) -> bool:
        """Whether two are, and if so they are joined."""
        if (one, other) in refused:
            return False
        similarity = _similarity(shingles_of(one), shingles_of(other), threshold)
        if similarity < threshold:
            refused.add((one, other))
            return False
        clusters.join(one, other)
        matches.append(Match(other, one, similarity))
        return True

    bands = next((block.shape[1] for block in blocks()), 0)
    for band in range(bands):
        for bucket in _buckets(blocks, band, count):
            _within(bucket, clusters, similar)
    return clusters, matches


def _buckets(blocks: KeyBlocks, band: int, count: int) -> Iterator[list[int]]:
    """The documents, in order, that share a key of the band."""
    parts = max(1, -(-count // KEYS_AT_ONCE))
    for part in range(parts):
        numbers, keys = _keys(blocks, band, part, parts)
        order = np.argsort(keys, kind="stable")
        keys, numbers = keys[order], numbers[order]
        edges = np.flatnonzero(np.diff(keys)) + 1
        starts, ends = np.append(0, edges), np.append(edges, len(keys))
        several = ends - starts > 1
        for low, high in zip(starts[several].tolist(), ends[several].tolist(), strict=True):
            yield numbers[low:high].tolist()


def _keys(blocks: KeyBlocks, band: int, part: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
    numbers, keys, base = [], [], 0
    for block in blocks():
        column = block[:, band]
        chosen = column != 0
        if parts > 1:
            chosen &= column % np.uint64(parts) == part
        places = np.flatnonzero(chosen)
        numbers.append(places + base)
        keys.append(column[places])
        base += len(column)
    return (np.concatenate(numbers), np.concatenate(keys)) if keys else (np.empty(0, int), np.empty(0, np.uint64))


def _within(bucket: Sequence[int], clusters: Clusters, similar: Callable[[int, int], bool]) -> None:
    """Hold each document of a bucket against those before it that are not similar to one another."""
    apart = [bucket[0]]
    for number in bucket[1:]:
        if any(clusters.first(number) == clusters.first(one) for one in apart):
            continue
        if not any(similar(one, number) for one in apart) and len(apart) < MOST_APART:
            apart.append(number)


def _similarity(one: np.ndarray, other: np.ndarray, threshold: float) -> float:
    fewer, more = sorted((len(one), len(other)))
    return jaccard(one, other) if fewer >= threshold * more else 0.0  # it is at most the ratio of the sizes
