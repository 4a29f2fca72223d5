"""Texts cut into words and punctuation marks, as the tokenizers are that quality rules are counted with.

What stands between spaces is a word with the marks around it. Marks are taken off its front and its end one by
one (several dots are one mark), and it is cut where spaCy's rules for English cut inside a word
(https://spacy.io/usage/linguistic-features#how-tokenizer-works): around a hyphen or a comma between letters, around
``: < > = /`` before a letter, around a dot between a small and a large letter, around ``+ - * ^`` between digits,
before ``n't`` and before ``'s`` and its like. Addresses with ``://`` are left whole, and smileys of two marks. Nothing
else of spaCy's lists of single exceptions is followed.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from aictl.data.arrays.codes import DIGIT, LETTER, LOWER, SPACE, SYMBOL, UPPER, Texts, kind_table, look_up
from aictl.data.arrays.words import between, runs

FRONT, END, CLOSER, UNIT, CUT, LISTED = (1 << bit for bit in range(6))
_BOTH = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪'\"”“`‘´’‚„»«「」『』（）〔〕【】《》〈〉⟦⟧"
_MONEY = "$£€¥฿₽﷼₴₠₡₢₣₤₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿"
_HYPHENS = "-–—~"
_SMILEYS = "(: (; (= ): :( :) :* :/ :> :] :| :} ;) =( =) =/ =[ =] =| [: [= ]= '' ’’"
# Marks of which a word may consist that says nothing: those of the list that datatrove counts by.
_LISTED = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"


class Tokens(NamedTuple):
    """Where the words and marks of all texts begin and end in the codes, and the number of the text of each."""

    starts: np.ndarray
    ends: np.ndarray
    texts: np.ndarray


@cache
def mark_table() -> np.ndarray:
    """Bits by code point: whether a mark may be taken off the FRONT of a word, off its END, is one after which
    a dot is taken off too (CLOSER), is taken off after a digit (UNIT), may CUT a word, and is LISTED among those
    that say nothing."""
    table = np.zeros(len(kind_table()), np.uint8)

    def add(letters: str, bits: int) -> None:
        for letter in letters:
            table[ord(letter)] |= bits

    add(_BOTH, FRONT | END)
    add("§%=—–+" + _MONEY, FRONT)
    add("—–", END)
    add(_BOTH + "%²-+", CLOSER)
    add("%+" + _MONEY, UNIT)
    add(".,:<>=/+*^'’" + _HYPHENS, CUT)
    add(_LISTED, LISTED)
    for first, last in ((0, 9), (11, 13), (13, 32), (127, 160)):
        table[first:last] |= LISTED
    table[(kind_table() & SYMBOL) > 0] |= FRONT | END
    return table


def tokens(texts: Texts) -> Tokens:
    """The words and marks of texts."""
    codes, kinds = texts.codes, texts.kinds
    solid = (kinds & SPACE) == 0
    first, last = runs(solid)
    if not len(first):
        return Tokens(first, last, first)
    marks = look_up(mark_table(), codes)
    dots = codes == ord(".")
    many = _beside(dots)
    front = (((marks & FRONT) > 0) & ~_signs(codes, kinds)) | many
    end = ((marks & END) > 0) | many | _ends_after(kinds, marks, dots)
    # Of each word the part between the marks at its front and those at its end, which may be empty.
    low = np.minimum(_next(~front | ~solid, first), last)
    high = np.maximum(_previous(~end | ~solid, last - 1) + 1, low)
    begins = np.zeros(len(codes) + 1, bool)
    begins[first] = True
    begins[between(first, low)] = True
    begins[between(high, last)] = True
    begins[low[low < last]] = True
    begins[_inside(texts, marks, first, low, high)] = True
    begins[1:-1] &= ~(dots[1:] & dots[:-1])  # several dots are one mark
    begins[_smileys(codes, solid, begins) + 1] = False
    starts = np.flatnonzero(begins[:-1])
    ends = np.append(starts[1:], last[-1])
    ends[np.searchsorted(starts, first[1:]) - 1] = last[:-1]  # before a space
    return Tokens(starts, ends, texts.text_of(starts))


def _smileys(codes: np.ndarray, solid: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Where two marks stand together that are one to spaCy, such as the ``):`` of a Python function."""
    alone = begins[:-2] & begins[1:-1] & solid[:-1] & solid[1:]
    alone &= begins[2:] | np.append(~solid[2:], True)
    places = np.flatnonzero(alone)
    places = places[np.isin(codes[places].astype(np.uint64) << np.uint64(32) | codes[places + 1], _pairs())]
    if not len(places):
        return places
    first = np.flatnonzero(np.diff(places, prepend=-2) > 1)  # of those that overlap every second is one
    within = np.arange(len(places)) - np.repeat(first, np.diff(first, append=len(places)))
    return places[within % 2 == 0]


@cache
def _pairs() -> np.ndarray:
    return np.array(sorted(ord(pair[0]) << 32 | ord(pair[1]) for pair in _SMILEYS.split()), np.uint64)


def _beside(flags: np.ndarray) -> np.ndarray:
    """Those that have another one before or after them."""
    found = np.zeros_like(flags)
    found[1:] = flags[:-1]
    found[:-1] |= flags[1:]
    return found & flags


def _signs(codes: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """The plus of a number belongs to it."""
    found = codes == ord("+")
    found[:-1] &= (kinds[1:] & DIGIT) > 0
    found[-1:] = False
    return found


def _ends_after(kinds: np.ndarray, marks: np.ndarray, dots: np.ndarray) -> np.ndarray:
    """What is taken off an end because of what stands before it: a dot after anything but a single large
    letter, and a unit after a digit."""
    found = np.zeros(len(kinds), bool)
    places = np.flatnonzero(dots[1:]) + 1
    before = places - 1
    large = (kinds[before] & UPPER) > 0
    two = large & ((kinds[np.maximum(before - 1, 0)] & UPPER) > 0) & (before > 0)
    closing = ((kinds[before] & (LOWER | DIGIT)) > 0) | ((marks[before] & CLOSER) > 0)
    found[places[two | closing]] = True
    units = np.flatnonzero(marks[1:] & UNIT) + 1
    found[units[(kinds[units - 1] & DIGIT) > 0]] = True
    return found


def _inside(texts: Texts, marks: np.ndarray, first: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where words are cut in their midst: at a mark, and after it."""
    codes, kinds = texts.codes, texts.kinds
    places = np.flatnonzero(marks & CUT)
    word = np.searchsorted(first, places, side="right") - 1
    kept = (word >= 0) & (places > low[word]) & (places < high[word] - 1)
    places, word = places[kept], word[kept]
    mark, left, right = codes[places], kinds[places - 1], kinds[places + 1]
    after_word, before_letter = (left & (LETTER | DIGIT)) > 0, (right & LETTER) > 0
    cuts = np.isin(mark, _codes(_HYPHENS + ":<>=/")) & after_word & before_letter
    cuts |= (mark == ord(",")) & ((left & LETTER) > 0) & before_letter
    cuts |= (mark == ord(".")) & ((left & LOWER) > 0) & ((right & UPPER) > 0)
    digits = ((left & DIGIT) > 0) & (((right & DIGIT) > 0) | (codes[places + 1] == ord("-")))
    cuts |= np.isin(mark, _codes("+-*^")) & digits
    cuts |= (mark == ord(".")) & ((codes[places - 1] == ord(".")) | (codes[places + 1] == ord(".")))
    cuts &= ~np.isin(word, _addresses(texts, first, low))
    return np.concatenate([places[cuts], places[cuts] + 1, _contractions(codes, places, high[word], mark)])


def _contractions(codes: np.ndarray, places: np.ndarray, high: np.ndarray, mark: np.ndarray) -> np.ndarray:
    """Where ``'s``, ``'re``, ``n't`` and their like begin, at the end of a word."""
    quotes = np.isin(mark, _codes("'’"))
    places, left = places[quotes], (high - places)[quotes]
    if not len(places):
        return places
    after, then = codes[places + 1], codes[np.minimum(places + 2, len(codes) - 1)]
    one = (left == 2) & np.isin(after, _codes("smdSMD"))
    pairs = [(after == ord(a)) & (then == ord(b)) for a, b in ("re", "ve", "ll")]
    negative = (left == 2) & (after == ord("t")) & (codes[places - 1] == ord("n"))
    return np.concatenate([places[one | ((left == 3) & np.any(pairs, axis=0))], places[negative] - 1])


def _addresses(texts: Texts, first: np.ndarray, low: np.ndarray) -> np.ndarray:
    """The numbers of the words that are addresses: a scheme of two characters and more, and ``://``."""
    codes, kinds = texts.codes, texts.kinds
    colons = np.flatnonzero(codes[:-2] == ord(":")) if len(codes) > 2 else np.empty(0, np.int64)
    colons = colons[(codes[colons + 1] == ord("/")) & (codes[colons + 2] == ord("/"))]
    if not len(colons):
        return colons
    words = np.searchsorted(first, colons, side="right") - 1
    of_scheme = ((kinds & (LETTER | DIGIT)) > 0) | np.isin(codes, _codes("_+-."))
    begins = _previous(~of_scheme, colons - 1) + 1  # of what might be a scheme
    return words[(begins <= low[words]) & (colons - low[words] >= 2)]


def _next(flags: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The first flagged place from each place on, or one past the end."""
    found = np.append(np.flatnonzero(flags), len(flags))
    return found[np.searchsorted(found, places)]


def _previous(flags: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The last flagged place up to each place, or -1."""
    found = np.append(-1, np.flatnonzero(flags))
    return found[np.searchsorted(found, places, side="right") - 1]


@cache
def _codes(letters: str) -> np.ndarray:
    return np.array(sorted(map(ord, letters)), np.uint32)
