"""Everything that is measured of some documents. What was measured of one part is added to what was of another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from aictl.data.arrays.lines import BREAK
from aictl.data.arrays.view import View
from aictl.data.looking.shards import Record
from aictl.data.looking.showing import CONTENT, texts_of
from aictl.data.looking.stats.groups import Groups
from aictl.data.looking.stats.lengths import Lengths
from aictl.data.looking.stats.repeats import Repeats
from aictl.data.looking.stats.scripts import SCRIPTS, letters
from aictl.data.looking.stats.vocabulary import Vocabulary

GROUPED_BY = ("label", "language")  # fields of documents by whose values they are counted
NO_VALUE = NO_SUFFIX = "(none)"
PACKED = ("gz", "xz", "bz2", "zst")
TOTALS = ("documents", "characters", "bytes", "words", "lines", "non_ascii")
_SUFFIX = re.compile(r"[A-Za-z][A-Za-z0-9]{0,7}")
_WITHIN = re.compile(r"(?<=.)[:#].*", re.DOTALL)


class Measures:
    """What some documents of a dataset measure.

    ``totals`` has the sums of ``TOTALS``, ``letters`` those by script. ``roles`` are of turns, by who speaks;
    ``fields`` says in how many documents there is something beside text and source.
    """

    def __init__(self) -> None:
        self.totals: np.ndarray = np.zeros(len(TOTALS), np.int64)
        self.characters, self.words, self.turns = Lengths(), Lengths(), Lengths()
        self.letters: np.ndarray = np.zeros(len(SCRIPTS), np.int64)
        self.vocabulary = Vocabulary()
        self.repeats = Repeats()
        self.sources, self.suffixes, self.roles, self.fields = Groups(), Groups(), Groups(), Groups()
        self.groups = {name: Groups() for name in GROUPED_BY}

    def total(self, name: str) -> int:
        return int(self.totals[TOTALS.index(name)])

    def add(self, documents: Sequence[Record]) -> None:
        """Measure a block of documents, some megabyte of text at once."""
        if not documents:
            return
        texts = [one["text"] if "text" in one else "\n\n".join(texts_of(one)) for one in documents]
        self.repeats.add(texts)
        view = View(texts)
        codes, lengths = view.texts.codes, view.texts.lengths
        words = view.per_text(view.words.texts)
        self.characters.add(lengths)
        self.words.add(words)
        self.letters += letters(view.texts)
        self.vocabulary.add(view)
        size_bytes, non_ascii = _encoded(codes)
        breaks = len(documents) - 1  # that stand between the texts
        lines = int(np.count_nonzero(codes == BREAK)) + 1
        self.totals += (len(documents), len(codes) - breaks, size_bytes - breaks, int(words.sum()), lines, non_ascii)
        self._group(documents, lengths.tolist())

    def _group(self, documents: Sequence[Record], lengths: Sequence[int]) -> None:
        for one, length in zip(documents, lengths, strict=True):
            self.sources.add(group_of(one["source"]), 1, length)
            self.suffixes.add(suffix_of(one["source"]), 1, length)
            for name in one.keys() - CONTENT:
                self.fields.add(name, 1, length)
                if name in GROUPED_BY:
                    self.groups[name].add(_named(one[name]), 1, length)
        if "messages" in documents[0]:
            self.turns.add(np.array([len(one["messages"]) for one in documents]))
            for one in documents:
                for turn, text in zip(one["messages"], texts_of(one), strict=True):
                    self.roles.add(turn["role"], 1, len(text))

    def merge(self, other: Measures) -> None:
        """Add what comes after these documents."""
        self.totals += other.totals
        self.letters += other.letters
        for name in ("characters", "words", "turns", "vocabulary", "repeats", "sources", "suffixes", "roles", "fields"):
            getattr(self, name).merge(getattr(other, name))
        for name, groups in other.groups.items():
            self.groups[name].merge(groups)


def group_of(source: str) -> str:
    """Where a document is from as far as many are from there: the outermost folder, or the file that stands in none,
    or the host of an address."""
    scheme, slashes, rest = source.partition("://")
    if slashes:
        return f"{scheme}://{rest.partition('/')[0]}"
    head, slash, _ = source.partition("/")
    return f"{head}/" if slash else _WITHIN.sub("", source)


def suffix_of(source: str) -> str:
    """What kind of file a document is from, such as ``.md`` or ``.txt.gz``."""
    name = _WITHIN.sub("", source.rpartition("/")[2])
    stem, dot, last = name.rpartition(".")
    if not stem or not _SUFFIX.fullmatch(last):
        return NO_SUFFIX
    inner = stem.rpartition(".")[2] if last in PACKED and "." in stem else ""
    return f".{inner}.{last}".lower() if _SUFFIX.fullmatch(inner) else f"{dot}{last}".lower()


def _named(value: Any) -> str:
    return NO_VALUE if value is None else str(value)


def _encoded(codes: np.ndarray) -> tuple[int, int]:
    """How many bytes code points take in UTF-8, and how many of them are not ASCII."""
    if codes.dtype == np.uint8:
        return len(codes), 0
    beyond = [int(np.count_nonzero(codes >= limit)) for limit in (0x80, 0x800, 0x10000)]
    return len(codes) + sum(beyond), beyond[0]
