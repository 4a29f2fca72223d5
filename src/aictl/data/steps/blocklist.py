"""Texts that hold blocked words, or come from or link to blocked places on the web.

- **Words** are whole words or phrases, in any case: a hit begins and ends where a letter or digit does not touch it. In
  scripts that put no space between words (Chinese, Japanese, Thai and their neighbours) a hit may stand anywhere, as in
  C4's filter (Raffel et al. 2020, section 2.2). All words are looked for in one pass, by Aho and Corasick's automaton.
- **Domains** block themselves and what lies below: ``bad.example`` blocks ``www.bad.example``. Lists as those of UT1
  (https://dsi.ut-capitole.fr/blacklists/) or hosts files are read as they are, millions of entries long.
- **URL patterns** are pieces of a URL, in any case; ``*`` stands for anything.

A text's own URL blocks it outright. Words in it and links are hits, and they block it where there are more of them than
``per_thousand`` words allow; the default allows none. In text without spaces two characters count as a word.

The list that is shipped for English is LDNOOBW's, under CC BY 4.0; for anything else bring your own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

from aictl.core.errors import BadInput

_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_URL = re.compile(r"://([^\s/?#\"'<>()\[\]{}|\\^`]{1,300})([^\s\"'<>()\[\]{}|\\^`]{0,2000})")
_WWW = re.compile(r"www\.(?<![\w/.@]www\.)([\w.-]{3,300})([^\s\"'<>()\[\]{}|\\^`]{0,2000})")
_HOSTS_LINE = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1|::1?)\s+(\S+)")
_LONG_WORD, _CHARS_PER_WORD = 20, 2  # from so many characters between spaces on, a text has words of so many


class Rule(NamedTuple):
    """What blocked a text: ``word``, ``domain`` or ``url``, and the entry of the list."""

    kind: str
    entry: str


class Blocklist:
    """Words, domains and URL patterns that block a text.

    ``per_thousand`` is how many hits in a thousand words a text may have.
    """

    def __init__(
        self,
        words: Iterable[str] = (),
        domains: Iterable[str] = (),
        url_patterns: Iterable[str] = (),
        per_thousand: float = 0.0,
    ) -> None:
        self._words = sorted({folded for word in words if (folded := " ".join(word.casefold().split()))})
        self._automaton = AhoCorasick(self._words) if self._words else None
        self._domains = frozenset(domain.casefold().strip(".") for domain in domains)
        # By their first piece, so that thousands are looked for in one pass too.
        self._patterns: dict[str, list[tuple[str, list[str]]]] = {}
        for pattern in url_patterns:
            if pieces := [piece for piece in pattern.casefold().split("*") if piece]:
                self._patterns.setdefault(pieces[0], []).append((pattern, pieces[1:]))
        self._first_pieces = list(self._patterns)
        self._pieces = AhoCorasick(self._first_pieces) if self._patterns else None
        self.per_thousand = per_thousand

    def blocked(self, texts: Sequence[str], urls: Sequence[str | None] | None = None) -> list[Rule | None]:
        """For each text the rule that it broke first, or None. ``urls`` says where each came from."""
        own = urls or [None] * len(texts)
        return [
            (self.of_url(url) if url else None) or self._of_text(text) for text, url in zip(texts, own, strict=True)
        ]

    def of_url(self, url: str) -> Rule | None:
        """The rule that blocks a URL, or None."""
        scheme, mark, rest = url.casefold().partition("://")
        rest = rest if mark else scheme.removeprefix("//")
        host = re.split("[/?#]", rest, maxsplit=1)[0].rpartition("@")[2].partition(":")[0].strip(".")
        place = host
        while place:
            if place in self._domains:
                return Rule("domain", place)
            place = place.partition(".")[2]
        if self._pieces:
            for number, _, end in self._pieces.find_matches_as_indexes(rest, overlapping=True):
                for pattern, more in self._patterns[self._first_pieces[number]]:
                    if _in_order(more, rest, end):
                        return Rule("url", pattern)
        return None

    def _of_text(self, text: str) -> Rule | None:
        hits = self._hits(text)
        first = next(hits, None)
        if first is None or not self.per_thousand:
            return first
        allowed = int(self.per_thousand * _words(text) / 1000)
        return first if allowed == 0 or any(islice(hits, allowed - 1, None)) else None

    def _hits(self, text: str) -> Iterator[Rule]:
        if self._automaton:
            folded = text.casefold()
            for number, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
                if _stands_alone(folded, start, end):
                    yield Rule("word", self._words[number])
        if self._domains or self._patterns:
            for match in _links(text):
                if rule := self.of_url(match[1] + match[2]):
                    yield rule


def _words(text: str) -> int:
    count = len(text.split())
    return count if len(text) < _LONG_WORD * count else len(text) // _CHARS_PER_WORD


def _in_order(pieces: Iterable[str], text: str, start: int) -> bool:
    for piece in pieces:
        found = text.find(piece, start)
        if found < 0:
            return False
        start = found + len(piece)
    return True


def _stands_alone(text: str, start: int, end: int) -> bool:
    before, first, last, after = text[start - 1 : start], text[start], text[end - 1], text[end : end + 1]
    return not (_touch(before, first) or _touch(last, after))


def _touch(one: str, other: str) -> bool:
    """Whether two characters belong to the same word, as ``\\w`` has it."""
    if not ((one.isalnum() or one == "_") and (other.isalnum() or other == "_")):
        return False
    return not (_WITHOUT_SPACES.match(one) or _WITHOUT_SPACES.match(other))


def _links(text: str) -> Iterator[re.Match[str]]:
    if "://" in text:
        yield from _URL.finditer(text)
    if "www." in text:
        yield from _WWW.finditer(text)


def read_list(path: Path) -> list[str]:
    """The entries of a list: one a line, without what follows a ``#`` at a line's beginning or behind a space; of a
    hosts file the names. Raises :class:`BadInput` for a file that is no text or has no entry."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8: {error.reason}", cure="convert it with iconv") from None
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}", cure="give a file with one entry a line") from None
    entries = _entries(lines)
    if not entries:
        raise BadInput(f"{path} holds no entries", cure="give a file with one entry a line")
    return entries


def english() -> list[str]:
    """The English words that are shipped."""
    return _entries(files(__package__).joinpath("blocklists/english.txt").read_text("utf-8").splitlines())


def _entries(lines: Iterable[str]) -> list[str]:
    found = []
    for line in lines:
        entry = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        hosts = _HOSTS_LINE.fullmatch(entry)
        if entry:
            found.append(hosts[1] if hosts else entry)
    return found
