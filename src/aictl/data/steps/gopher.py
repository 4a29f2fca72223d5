"""The quality rules of Gopher (https://arxiv.org/abs/2112.11446, appendix A.1.1), words counted as datatrove
counts them: with the marks around them as words of their own."""

from __future__ import annotations

import numpy as np

from aictl.data.arrays.codes import LETTER, Texts, look_up
from aictl.data.arrays.hashing import Hasher
from aictl.data.arrays.lines import Spans
from aictl.data.arrays.tokens import LISTED, mark_table
from aictl.data.arrays.view import View
from aictl.data.steps.verdict import Verdicts, share

FEWEST_WORDS, MOST_WORDS = 50, 100_000
SHORTEST_MEAN, LONGEST_MEAN = 3, 10  # characters of a word
MOST_SYMBOLS = 0.1  # hash signs, or ellipses, for each word
MOST_BULLETS, MOST_ELLIPSES = 0.9, 0.3  # of the lines
FEWEST_WITH_LETTERS = 0.8  # of the words
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
FEWEST_STOP_WORDS = 2  # different ones


def judge(view: View) -> Verdicts:
    """The first rule that each text breaks."""
    verdicts = Verdicts(len(view))
    tokens, codes = view.tokens, view.texts.codes
    count = view.per_text(tokens.texts)
    telling = _any_within(~((look_up(mark_table(), codes) & LISTED) > 0), tokens.starts, tokens.ends)
    words = view.per_text(tokens.texts[telling])
    verdicts.add("too few words", words < FEWEST_WORDS)
    verdicts.add("too many words", words > MOST_WORDS)
    lengths = (tokens.ends - tokens.starts)[telling]
    mean = share(view.per_text(tokens.texts[telling], lengths), words)
    verdicts.add("short words", mean < SHORTEST_MEAN)
    verdicts.add("long words", mean > LONGEST_MEAN)
    hashes = view.texts.count(np.flatnonzero(codes == ord("#")))
    verdicts.add("many hash signs", share(hashes, count) > MOST_SYMBOLS)
    verdicts.add("many ellipses", share(view.texts.count(_ellipses(codes)), count) > MOST_SYMBOLS)
    lines = view.lines.stripped(view.texts)
    whole = view.per_text(lines.texts)
    verdicts.add("bullet points", share(view.per_text(lines.texts[_bullets(codes, lines)]), whole) > MOST_BULLETS)
    unfinished = view.per_text(lines.texts[_unfinished(codes, lines)])
    verdicts.add("unfinished lines", share(unfinished, whole) > MOST_ELLIPSES)
    spelt = _any_within((view.texts.kinds & LETTER) > 0, tokens.starts, tokens.ends)
    verdicts.add("words without letters", share(view.per_text(tokens.texts[spelt]), count) < FEWEST_WITH_LETTERS)
    verdicts.add("no stop words", _stop_words(view) < FEWEST_STOP_WORDS)
    return verdicts


def _any_within(flags: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Whether any place of each stretch is flagged."""
    places = np.append(np.flatnonzero(flags), len(flags))
    return places[np.searchsorted(places, starts)] < ends


def _ellipses(codes: np.ndarray) -> np.ndarray:
    """Where ``…`` stands, or three dots that are part of no earlier three."""
    dots = codes == ord(".")
    three = np.flatnonzero(dots[:-2] & dots[1:-1] & dots[2:])
    if len(three):
        # In a longer run every third begins one.
        first = np.concatenate([[True], np.diff(three) > 1])
        within = three - three[np.maximum.accumulate(np.where(first, np.arange(len(three)), 0))]
        three = three[within % 3 == 0]
    return np.sort(np.concatenate([three, np.flatnonzero(codes == ord("…"))])) if codes.dtype != np.uint8 else three


def _bullets(codes: np.ndarray, lines: Spans) -> np.ndarray:
    first = codes[np.minimum(lines.starts, len(codes) - 1)] if len(codes) else codes
    return ((first == ord("-")) | (first == ord("•"))) & (lines.lengths > 0) if len(codes) else np.empty(0, bool)


def _unfinished(codes: np.ndarray, lines: Spans) -> np.ndarray:
    """Lines that end with an ellipsis."""
    if not len(codes):
        return np.empty(0, bool)
    ends = [codes[np.maximum(lines.ends - back, 0)] == ord(".") for back in (1, 2, 3)]
    dots = ends[0] & ends[1] & ends[2] & (lines.lengths >= 3)
    return dots | ((codes[np.maximum(lines.ends - 1, 0)] == ord("…")) & (lines.lengths > 0))


def _stop_words(view: View) -> np.ndarray:
    """How many different stop words each text has."""
    own = Texts(STOP_WORDS)
    found = np.zeros(len(view), np.int64)
    for wanted in Hasher(own.codes).of(own.starts, own.ends):
        found += view.per_text(view.tokens.texts[view.token_hashes == wanted]) > 0
    return found
