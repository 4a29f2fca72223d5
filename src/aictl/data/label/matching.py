"""Functions of kinds regex and keywords: patterns, searched in time that grows with the text and no faster.

The engine is Rust's regex, as polars carries it: no pattern makes it backtrack, it knows the letters of
every script, and it looks through a whole batch without a loop in Python. It has no look-around and no
references back to groups, which is what its guarantee costs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from aictl.core.errors import BadInput
from aictl.data.label.declaration import Function
from aictl.data.label.kinds import Keywords, Regex

# Beside these a keyword would be part of a longer word: letters, marks, digits and the underscore.
_WORD = r"\p{L}\p{M}\p{N}_"


class Matching:
    """Votes for one label where a pattern is found."""

    def __init__(self, function: Function, labels: Sequence[str]) -> None:
        """Raises :class:`BadInput` for a pattern that does not compile or is too large once it has."""
        settings = function.settings
        assert isinstance(settings, Regex | Keywords)
        self._label = labels.index(settings.label)
        if isinstance(settings, Regex):
            key, pattern = "pattern", settings.pattern
        else:
            key, pattern = "keywords", _alternatives(settings.keywords)
        self._pattern = f"(?i){pattern}" if settings.ignore_case else pattern
        try:
            self.vote([""], 0)
        except pl.exceptions.ComputeError as error:
            raise BadInput(f"{function.where}: {key}: {_reason(str(error))}", cure=_cure(str(error))) from error

    def vote(self, texts: Sequence[str], number: int) -> np.ndarray:
        found = pl.Series(texts, dtype=pl.String).str.contains(self._pattern).to_numpy()
        return np.where(found, self._label, -1).astype(np.int16)

    def facts(self) -> Mapping[str, int]:
        return {}


def _alternatives(keywords: Sequence[str]) -> str:
    """A pattern of whole words. Text is in normal form C, and so are the words looked for in it; a
    space in a keyword stands for any white space."""
    words = sorted({unicodedata.normalize("NFC", word.strip()) for word in keywords} - {""}, key=len, reverse=True)
    joined = "|".join(r"\s+".join(map(_escaped, word.split())) for word in words) or r"[^\s\S]"
    return f"(?:^|[^{_WORD}])(?:{joined})(?:$|[^{_WORD}])"


def _escaped(word: str) -> str:
    return re.sub(r"([\\.+*?()|\[\]{}^$#&\-~])", r"\\\1", word)


def _reason(said: str) -> str:
    """Rust's explanation in one line: what, and where in the pattern (its third line has the marks)."""
    lines = said.splitlines()
    wrong = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), lines[0])
    mark = next((line for line in lines if line.strip() and not line.strip(" ^")), None)
    place = f", at character {mark.index('^') - 3}" if mark and len(lines) > 2 else ""
    return wrong.removeprefix("regex error: ").rstrip(".") + place


def _cure(said: str) -> str | None:
    if "look-around" in said or "backreference" in said:
        return "write it without: such patterns can take for ever; a function of kind python can use another engine"
    return "shorten what is repeated, such as \\w{1000}" if "size limit" in said else "mend the pattern"
