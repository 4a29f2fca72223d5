"""Words of texts: runs of letters and digits, in small letters, as near-duplicates and overlaps are found by."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aictl.data.arrays.codes import IDEOGRAPH, WORD, Texts
from aictl.data.arrays.hashing import Hasher, of_bytes, windows


class Words(NamedTuple):
    """The words of all texts in order: where each begins and ends in the codes, its hash, and the number of
    its text."""

    starts: np.ndarray
    ends: np.ndarray
    hashes: np.ndarray
    texts: np.ndarray

    def shingles(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Hashes of every ``length`` words that follow one another in a text, and the number of the text.
        A text of fewer words has one shingle, of all its words."""
        hashes = windows(self.hashes, length)
        within = self.texts[: len(hashes)] == self.texts[length - 1 :]
        found, texts = hashes[within], self.texts[: len(hashes)][within]
        first = np.flatnonzero(np.diff(self.texts, prepend=-1))
        counts = np.diff(first, append=len(self.texts))
        short = counts < length
        if not short.any():
            return found, texts
        few = [windows(self.hashes[at : at + n], n)[0] for at, n in zip(first[short], counts[short], strict=True)]
        texts = np.concatenate([texts, self.texts[first[short]]])
        order = np.argsort(texts, kind="stable")
        return np.concatenate([found, np.array(few, np.uint64)])[order], texts[order]


def words(texts: Texts) -> Words:
    """Every run of letters and digits, and each character of a script without spaces."""
    inside = (texts.kinds & WORD) > 0
    starts, ends = runs(inside)
    alone = (texts.kinds & IDEOGRAPH) > 0 if texts.codes.dtype != np.uint8 else None
    if alone is not None and alone.any():
        cuts = alone.copy()  # a run is cut before each of them, and after
        cuts[1:] |= alone[:-1]
        starts = np.flatnonzero(inside & (cuts | ~_shifted(inside)))
        cuts = alone.copy()
        cuts[:-1] |= alone[1:]
        ends = np.flatnonzero(inside & (cuts | ~_shifted(inside[::-1])[::-1])) + 1
    return Words(starts, ends, _hashes(texts, starts, ends), texts.text_of(starts))


def _hashes(texts: Texts, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Hashes of stretches in small letters: most by their bytes, and those with code points beyond the first 256, which
    are few in most texts, by these."""
    narrow, wide, letters = texts.small
    hashes = of_bytes(narrow, starts, ends)
    if not len(wide):
        return hashes
    within = np.searchsorted(starts, wide, side="right") - 1
    some = np.unique(within[(within >= 0) & (wide < ends[within])])
    codes = narrow.astype(np.uint32)
    codes[wide] = letters
    lengths = ends[some] - starts[some]
    edges = np.cumsum(lengths)
    hashes[some] = Hasher(codes[between(starts[some], ends[some])]).of(edges - lengths, edges)
    return hashes


def runs(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the runs of True begin, and where they end."""
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    if len(inside) and inside[0]:
        edges = np.concatenate([[0], edges])
    if len(inside) and inside[-1]:
        edges = np.concatenate([edges, [len(inside)]])
    return edges[::2], edges[1::2]


def between(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Every place from each start up to before its end."""
    some = ends > starts
    starts, counts = starts[some], (ends - starts)[some]
    return np.arange(counts.sum()) + np.repeat(starts - np.cumsum(counts) + counts, counts)


def _shifted(flags: np.ndarray) -> np.ndarray:
    """The flag of the place before each, False before the first."""
    found = np.zeros_like(flags)
    found[1:] = flags[:-1]
    return found
