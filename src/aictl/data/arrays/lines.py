"""Lines and paragraphs of texts: where each begins and ends, and which of a text's have been there before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aictl.data.arrays.codes import SPACE, Texts
from aictl.data.arrays.words import runs

BREAK = ord("\n")


class Spans(NamedTuple):
    """Stretches of codes in order, and the number of the text of each."""

    starts: np.ndarray
    ends: np.ndarray
    texts: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        return self.ends - self.starts

    def kept(self, which: np.ndarray) -> Spans:
        return Spans(self.starts[which], self.ends[which], self.texts[which])

    def stripped(self, texts: Texts) -> Spans:
        """Without white space at both ends; a stretch of nothing else becomes empty."""
        solid = np.flatnonzero((texts.kinds & SPACE) == 0)
        first = np.append(solid, len(texts.codes))[np.searchsorted(solid, self.starts)]
        last = np.append(-1, solid)[np.searchsorted(solid, self.ends - 1, side="right")] + 1
        starts = np.minimum(first, self.ends)
        return Spans(starts, np.maximum(last, starts), self.texts)


def lines(texts: Texts) -> Spans:
    """Every line, without its line break; a text without one is a line."""
    breaks = np.flatnonzero(texts.codes == BREAK)
    # The break after each text is one of them, except after the last.
    ends = np.append(breaks, len(texts.codes)) if len(texts) else breaks
    starts = np.append(0, ends[:-1] + 1) if len(texts) else ends
    return Spans(starts, ends, texts.text_of(starts))


def paragraphs(texts: Texts) -> Spans:
    """What stands between two or more line breaks, of texts without white space at both ends."""
    starts, ends = runs(texts.codes == BREAK)
    wide = ends - starts > 1
    gaps = Spans(starts[wide], ends[wide], texts.text_of(starts[wide]))
    own = Spans(texts.starts, texts.ends, np.arange(len(texts))).stripped(texts)
    inner = gaps.kept((gaps.starts > own.starts[gaps.texts]) & (gaps.ends < own.ends[gaps.texts]))
    begins = np.concatenate([own.starts, inner.ends])
    order = np.argsort(begins, kind="stable")
    finishes = np.sort(np.concatenate([own.ends, inner.starts]), kind="stable")
    return Spans(begins[order], finishes, np.concatenate([own.texts, inner.texts])[order])
