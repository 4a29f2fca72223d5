"""The scripts that letters are of, by the first word of their names in Unicode."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np

from aictl.data.arrays.codes import LETTER, Texts, kind_table, look_up

OTHER, LATIN = 0, 1
ASCII = 0x80  # of which all letters are Latin
SCRIPTS = (
    "other", "Latin", "Greek", "Cyrillic", "Armenian", "Hebrew", "Arabic", "Syriac", "Thaana", "Devanagari", "Bengali",
    "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Thai", "Lao", "Tibetan",
    "Myanmar", "Georgian", "Hangul", "Ethiopic", "Cherokee", "Khmer", "Mongolian", "Hiragana", "Katakana", "Bopomofo",
    "Han", "Yi", "Tifinagh", "Coptic", "Balinese", "Javanese", "Vai", "Nko",
)  # fmt: skip
_ALSO = {"CJK": "Han", "IDEOGRAPHIC": "Han", "KANGXI": "Han"}
_WIDTHS = ("FULLWIDTH", "HALFWIDTH")


def letters(texts: Texts) -> np.ndarray:
    """How many letters of each of ``SCRIPTS`` there are in some texts."""
    is_letter = (texts.kinds & LETTER) > 0
    found: np.ndarray = np.zeros(len(SCRIPTS), np.int64)
    found[LATIN] = np.count_nonzero(is_letter)
    if texts.codes.dtype != np.uint8:
        others = texts.codes[(texts.codes >= ASCII) & is_letter]
        found[LATIN] -= len(others)
        found += np.bincount(look_up(_table(), others), minlength=len(SCRIPTS))
    return found


@cache
def _table() -> np.ndarray:
    """The number of the script by code point, and of letters, symbols and ideographs beyond the first plane."""
    numbers = {name.upper(): number for number, name in enumerate(SCRIPTS)}
    numbers |= {word: numbers[name.upper()] for word, name in _ALSO.items()}
    kinds = kind_table()
    table = np.zeros(len(kinds), np.uint8)
    for code in np.flatnonzero(kinds[: 1 << 16] & LETTER).tolist():
        words = unicodedata.name(chr(code), "").split()
        if words and words[0] in _WIDTHS:
            words = words[1:]
        table[code] = numbers.get(words[0], OTHER) if words else OTHER
    table[-1] = numbers["HAN"]
    return table
