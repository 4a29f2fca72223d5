"""MinHash signatures of sets of shingles, and the bands by which likely pairs are found.

A signature has the smallest hash in each of ``BINS`` bins, by one permutation (Li, Owen and Zhang 2012,
https://arxiv.org/abs/1208.1259); an empty bin takes the value of one that it draws by hash (optimal
densification, Shrivastava 2017, https://arxiv.org/abs/1703.04664). Two signatures agree in a bin with a
probability that is the Jaccard similarity J of the sets, so that two documents share a band of ``rows`` bins with
``J^rows``, and one of several bands with ``1 - (1 - J^rows)^bands``.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from aictl.data.arrays.hashing import mixed
from aictl.data.arrays.words import Words

BINS = 128
WORDS = 5  # of a shingle, as FineWeb and Gopher have it
FOUND = 0.985  # of the pairs that are just as similar as asked, so many at least share a band
_NOTHING = np.iinfo(np.uint64).max
_SEED = 0x2545F4914F6CDD1D


class Bands(NamedTuple):
    """How a signature is cut: so many bands of so many bins."""

    bands: int
    rows: int

    def found(self, similarity: float) -> float:
        """The probability that two documents of this similarity share a band."""
        return 1 - (1 - similarity**self.rows) ** self.bands


def bands_for(similarity: float) -> Bands:
    """The longest bands that find ``FOUND`` of the pairs of this similarity: longer ones bring up fewer pairs
    in vain."""
    for rows in range(BINS // 4, 1, -1):
        cut = Bands(BINS // rows, rows)
        if cut.found(similarity) >= FOUND:
            return cut
    return Bands(BINS, 1)


def signatures(words: Words, count: int) -> tuple[np.ndarray, np.ndarray]:
    """uint64 signatures of shape (count, BINS) of ``count`` texts, and how many shingles each has.

    A text without a word has no shingles, and a signature that no other text has.
    """
    shingles, texts = words.shingles(WORDS)
    bins = ((shingles >> np.uint64(32)) * np.uint64(BINS)) >> np.uint64(32)
    flat = np.full(count * BINS, _NOTHING, np.uint64)  # minimum.at takes 20 times as long in a view of two dimensions
    np.minimum.at(flat, texts * BINS + bins.astype(np.int64), shingles)
    smallest = flat.reshape(count, BINS)
    counts = np.bincount(texts, minlength=count)
    _fill(smallest, counts > 0)
    return smallest, counts


def _fill(smallest: np.ndarray, some: np.ndarray) -> None:
    """Give every empty bin of the rows that have ``some`` value one of theirs, in place."""
    full = smallest != _NOTHING
    rows, bins = np.nonzero(~full & some[:, None])
    attempt = 0
    while len(rows):
        drawn = _draw(attempt)[bins]
        found = full[rows, drawn]
        smallest[rows[found], bins[found]] = smallest[rows[found], drawn[found]]
        rows, bins = rows[~found], bins[~found]
        attempt += 1


@cache
def _draw(attempt: int) -> np.ndarray:
    """The bin that each bin looks into at its n-th attempt; at last it is its neighbour, so that an end is sure."""
    bins = np.arange(BINS, dtype=np.uint64)
    if attempt >= 4 * BINS:
        return (np.arange(BINS) + attempt) % BINS
    hashes = mixed(bins * np.uint64(0x9E3779B97F4A7C15) + _seed(attempt + 1))
    return (hashes % np.uint64(BINS)).astype(np.int64)


def _seed(number: int) -> np.uint64:
    return np.uint64(number * _SEED % (1 << 64))


def band_keys(smallest: np.ndarray, counts: np.ndarray, cut: Bands) -> np.ndarray:
    """uint64 keys of shape (texts, bands): equal where two texts share a band. A text without shingles has 0
    throughout, which no other has."""
    rows = smallest[:, : cut.bands * cut.rows].reshape(len(smallest), cut.bands, cut.rows)
    keys = np.tile(np.array([_seed(band + 1) for band in range(cut.bands)], np.uint64), (len(smallest), 1))
    for row in range(cut.rows):
        keys = mixed((keys ^ rows[:, :, row]) * np.uint64(0xD1342543DE82EF95))
    np.maximum(keys, np.uint64(1), out=keys)
    keys[counts == 0] = 0
    return keys


def shingle_sets(words: Words, count: int) -> list[np.ndarray]:
    """The different shingles of each text, sorted."""
    shingles, texts = words.shingles(WORDS)
    edges = np.searchsorted(texts, np.arange(count + 1))
    return [np.unique(shingles[low:high]) for low, high in pairwise(edges.tolist())]


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """The Jaccard similarity of two sorted arrays of different values; of two empty ones 0."""
    together = np.concatenate([one, other])
    together.sort()
    shared = int(np.count_nonzero(together[1:] == together[:-1]))
    return shared / (len(together) - shared) if len(together) else 0.0
