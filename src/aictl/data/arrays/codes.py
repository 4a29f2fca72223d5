"""Texts as one array of code points, and what kind of character each is.

Kinds are those of Unicode for the Basic Multilingual Plane, by Python's own tables; beyond it letters
are the ideographs and everything below the symbols at U+1F000.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache, cached_property

import numpy as np

SPACE, LOWER, UPPER, DIGIT, LETTER, IDEOGRAPH, SYMBOL = (1 << bit for bit in range(7))
WORD = LETTER | DIGIT
_PLANE = 1 << 16
_MOSTLY = 4  # where fewer than one in so many lies beyond the first 256 code points, those are looked up by themselves
_SYMBOLS, _IDEOGRAPHS = 0x1F000, 0x20000  # where, beyond the first plane, symbols and ideographs begin
# Scripts written without spaces: each character stands for itself.
_UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x312F), (0x31A0, 0xA4CF), (0xF900, 0xFAFF))


class Texts:
    """``texts`` one after the other, a line break between them.

    ``codes`` holds their characters: uint8 where all are ASCII, else uint32. Text ``i`` is
    ``codes[starts[i]:ends[i]]``.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        joined = "\n".join(texts)
        if joined.isascii():
            self.codes = np.frombuffer(joined.encode("ascii"), np.uint8)
        else:
            self.codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        self.ends = np.cumsum(lengths + 1) - 1
        self.starts = self.ends - lengths

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def narrow(self) -> np.ndarray:
        """uint8 of the codes, right for the first 256 of them; the others are at the places ``wide``."""
        return self.codes if self.codes.dtype == np.uint8 else self.codes.astype(np.uint8)

    @cached_property
    def wide(self) -> np.ndarray:
        """The places of code points beyond the first 256."""
        return np.empty(0, np.int64) if self.codes.dtype == np.uint8 else np.flatnonzero(self.codes > 0xFF)

    @cached_property
    def small(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The texts in small letters: their codes as ``narrow`` ones, the places of those that are wide, and these."""
        if not len(self.wide):
            return _translated(self.narrow, lower_table().astype(np.uint8)), self.wide, self.wide
        small = _translated(self.narrow, lower_table().astype(np.uint8)).copy()
        letters = np.take(lower_table(), self.codes[self.wide], mode="clip")
        beyond = self.codes[self.wide] >= _PLANE
        letters[beyond] = self.codes[self.wide][beyond]
        small[self.wide] = letters.astype(np.uint8)
        still = letters > 0xFF  # the sign of Kelvin becomes a k
        return small, self.wide[still], letters[still]

    @property
    def lengths(self) -> np.ndarray:
        """Characters of each text."""
        return self.ends - self.starts

    @cached_property
    def kinds(self) -> np.ndarray:
        """uint8 of bits for each character."""
        if len(self.wide) >= len(self.codes) // _MOSTLY:
            return look_up(kind_table(), self.codes)
        found = _translated(self.narrow, kind_table())
        if len(self.wide):
            found = found.copy()
            found[self.wide] = look_up(kind_table(), self.codes[self.wide])
        return found

    def text_of(self, places: np.ndarray) -> np.ndarray:
        """Which text each of some places in ``codes``, which are in order, belongs to."""
        return np.repeat(np.arange(len(self)), self.count(places))

    def count(self, places: np.ndarray) -> np.ndarray:
        """How many of some places, which are in order, lie in each text."""
        return np.diff(np.searchsorted(places, self.ends, side="right"), prepend=0)


def look_up(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """A table of the first plane read for every code point; its three last entries stand for the letters,
    symbols and ideographs beyond."""
    if codes.dtype == np.uint8:
        return _translated(codes, table)
    wide = np.flatnonzero(codes > 0xFF)
    if len(wide) < len(codes) // _MOSTLY:
        found = _translated(codes.astype(np.uint8), table).copy()
        found[wide] = look_up(table, codes[wide]) if len(wide) else 0
        return found
    found = np.take(table, codes, mode="clip")  # what lies beyond is taken for an ideograph
    if int(codes.max(initial=0)) >= _PLANE:
        found[(codes >= _PLANE) & (codes < _SYMBOLS)] = table[_PLANE]
        found[(codes >= _SYMBOLS) & (codes < _IDEOGRAPHS)] = table[_PLANE + 1]
    return found


def _translated(codes: np.ndarray, table: np.ndarray) -> np.ndarray:
    """A uint8 table read for code points below 256: Python's own translation is faster than any indexing."""
    return np.frombuffer(codes.tobytes().translate(table[:256].tobytes()), np.uint8)


@cache
def kind_table() -> np.ndarray:
    """Kinds by code point, and three more: of letters, symbols and ideographs beyond the first plane."""
    kinds = np.zeros(_PLANE + 3, np.uint8)
    for code in range(_PLANE):
        letter = chr(code)
        if letter.isalpha():
            kinds[code] = LETTER | (LOWER if letter.islower() else UPPER if letter.isupper() else 0)
        elif letter.isspace():
            kinds[code] = SPACE
        elif letter.isnumeric():
            kinds[code] = DIGIT
        elif unicodedata.category(letter) == "So":
            kinds[code] = SYMBOL
        elif unicodedata.category(letter)[0] == "M":
            kinds[code] = LETTER  # what is set above or below a letter is part of its word
    for first, last in _UNSPACED:
        within = kinds[first : last + 1]
        within[(within & LETTER) > 0] |= IDEOGRAPH
    kinds[_PLANE:] = LETTER, SYMBOL, LETTER | IDEOGRAPH
    return kinds


@cache
def lower_table() -> np.ndarray:
    """The small letter of every character of the first plane; others stay as they are."""
    small = np.arange(_PLANE, dtype=np.uint32)
    for code in range(_PLANE):
        if (letter := chr(code)).isupper() and len(lowered := letter.lower()) == 1:
            small[code] = ord(lowered)
    return small
