"""Functions of kinds regex and keywords: patterns, searched in time that grows with the text and no faster.

The engine is Rust's regex, as polars carries it: no pattern makes it backtrack, it knows the letters of
every script, and it looks through a whole batch without a loop in Python. It has no look-around and no
references back to groups, which is what its guarantee costs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from aictl.core.errors import BadInput
from aictl.data.label.declaration import Function
from aictl.data.label.kinds import Keywords, Regex

# Time for a character grows with the size of a pattern once its counted repetitions are written out: at
# 10,000 steps it took 150 microseconds here, at this limit 20,000 characters take at worst half a second.
MAX_STEPS = 2000
# Beside these a keyword would be part of a longer word: letters, marks, digits and the underscore.
_WORD = r"\p{L}\p{M}\p{N}_"
_WORDS_TOGETHER = 500
# An escape with its braces, a class in brackets, a counted repetition, the head of a group, or one character.
_TOKEN = re.compile(
    r"\\[pPxuU]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?P<least>\d*),?(?P<most>(?<=,)\d*|)\}|\((?:\?[^:>)]*[:>]?)?|.",
    re.DOTALL,
)


class Matching:
    """Votes for one label where a pattern is found."""

    def __init__(self, function: Function, labels: Sequence[str]) -> None:
        """Raises :class:`BadInput` for a pattern that does not compile or is too large once it has."""
        settings = function.settings
        assert isinstance(settings, Regex | Keywords)
        self._label = labels.index(settings.label)
        if isinstance(settings, Regex):
            key, patterns = "pattern", [settings.pattern]
            if (steps := steps_of(settings.pattern)) > MAX_STEPS:
                raise BadInput(
                    f"{function.where}: pattern: its repetitions make {steps:,} steps of it, and "
                    f"{MAX_STEPS:,} are allowed",
                    cure="repeat less often: {0,1000} within {0,100} can mostly be *",
                )
        else:
            key, patterns = "keywords", list(_alternatives(settings.keywords))
        self._patterns = [f"(?i){pattern}" if settings.ignore_case else pattern for pattern in patterns]
        try:
            self.vote([""], 0)
        except pl.exceptions.ComputeError as error:
            raise BadInput(f"{function.where}: {key}: {_reason(str(error))}", cure=_cure(str(error))) from error

    def vote(self, texts: Sequence[str], number: int) -> np.ndarray:
        given = pl.Series(texts, dtype=pl.String)
        found = np.any([given.str.contains(pattern).to_numpy() for pattern in self._patterns], axis=0)
        return np.where(found, self._label, -1).astype(np.int16)

    def facts(self) -> Mapping[str, int]:
        return {}


def steps_of(pattern: str) -> int:
    """How long a pattern is with its counted repetitions written out: ``(ab{3}){5}`` has 20 steps. What
    does not compile has a length too, which means nothing."""
    sizes: list[list[int]] = [[]]  # of what stands side by side in each group that is open
    for found in _TOKEN.finditer(pattern):
        token = found[0]
        if token.startswith("("):
            sizes.append([])
        elif token == ")" and len(sizes) > 1:
            inner = sum(sizes.pop())
            sizes[-1].append(inner)
        elif found["most"] is not None and sizes[-1]:
            sizes[-1][-1] *= max(1, int(found["most"] or found["least"] or 1))
        elif token not in "*+?|":
            sizes[-1].append(1)
    return sum(map(sum, sizes))


def _alternatives(keywords: Sequence[str]) -> Iterator[str]:
    """Patterns of whole words, each of as many as an engine compiles. Text is in normal form C, and so are
    the words looked for in it; a space in a keyword stands for any white space."""
    words = sorted({unicodedata.normalize("NFC", " ".join(word.split())) for word in keywords})
    for start in range(0, len(words), _WORDS_TOGETHER):
        joined = "|".join(r"\s+".join(map(_escaped, word.split())) for word in words[start : start + _WORDS_TOGETHER])
        yield f"(?:^|[^{_WORD}])(?:{joined})(?:$|[^{_WORD}])"


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
