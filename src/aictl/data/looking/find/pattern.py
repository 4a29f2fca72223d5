"""What is looked for: in the text of documents, and before that in the lines of JSON that they are stored as.

RE2 takes time in proportion to the text, whatever the expression (docs/decisions/regular-expressions.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import re2

from aictl.core.errors import BadRequest
from aictl.data.looking.find.required import required
from aictl.data.looking.shards import Block

MOST_PLACES = 1000  # that are counted in one text: each may take a look at all that follows it
# Letters that every writer of JSON leaves as they are. Others may be written as \uXXXX, or / as \/.
_FOLDED = re.compile("[KSks]")  # which ignoring case are equal to the Kelvin sign and the long s
_NEVER_ESCAPED = re.compile(r"[A-Za-z0-9 !#$%()*+,\-.:;=?@\[\]^_`{|}~]*")


class Pattern:
    """A text, or a regular expression in RE2's syntax in which ``^`` and ``$`` are the ends of a line."""

    def __init__(self, text: str, *, regex: bool = False, ignore_case: bool = False) -> None:
        """Raises :class:`BadRequest` for what cannot be looked for."""
        if not text:
            raise BadRequest("there is nothing to look for", cure="is a variable unset?")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadRequest(f"{text!r} is no UTF-8, and documents are") from None
        options = re2.Options()
        options.case_sensitive, options.log_errors = not ignore_case, False
        self._expression = _compiled(text, options) if regex else _literal(text, options)
        self._needle = self._escape = None
        needle = required(text) if regex else text
        if needle:
            self._needle = _literal(json.dumps(needle, ensure_ascii=False)[1:-1], options)
            if not _NEVER_ESCAPED.fullmatch(needle) or (ignore_case and _FOLDED.search(needle)):
                self._escape = re2.compile(r"\\[u/]")

    @property
    def is_told_by_lines(self) -> bool:
        """Whether a look at the lines of JSON can rule documents out."""
        return self._needle is not None

    def lines(self, block: Block) -> Iterator[tuple[bytes, int]]:
        """The lines, in order, whose documents may hold it, and the byte of the shard that each begins at; all
        others do not."""
        assert self._needle
        data, place = block.data, 0
        hits = [_Next(one, data) for one in (self._needle, self._escape) if one]
        while (at := min(hit.from_(place) for hit in hits)) < len(data):
            begin = data.rfind(b"\n", 0, at) + 1
            end = data.index(b"\n", at)
            yield data[begin:end], block.begin + begin
            place = end + 1

    def is_in(self, text: str) -> bool:
        return self._expression.search(text.encode()) is not None

    def places(self, text: str) -> list[tuple[int, int]]:
        """Where it stands in a text, at most ``MOST_PLACES`` of them."""
        data = text.encode()
        found: list[tuple[int, int]] = []
        place = letters = 0  # the same place in bytes and in characters
        for match in self._expression.finditer(data):
            low, high = match.span()
            start = letters + len(data[place:low].decode())
            letters, place = start + len(data[low:high].decode()), high
            found.append((start, letters))
            if len(found) == MOST_PLACES:
                break
        return found


class _Next:
    """Where an expression is found next in some bytes; each part of them is searched once."""

    def __init__(self, expression: re2._Regexp, data: bytes) -> None:
        self._expression, self._data, self._at = expression, data, -1

    def from_(self, place: int) -> int:
        """The first place from one on, which may not go back; the end of the bytes if there is none."""
        if self._at < place:
            found = self._expression.search(self._data, place)
            self._at = found.start() if found else len(self._data)
        return self._at


def _literal(text: str, options: re2.Options) -> re2._Regexp:
    return re2.compile(re2.escape(text), options)


def _compiled(expression: str, options: re2.Options) -> re2._Regexp:
    try:
        re2.compile(expression, options)
        return re2.compile(f"(?m:{expression})", options)
    except re2.error as error:
        said = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise BadRequest(
            f"{expression!r} is no regular expression that can be looked for: {said}",
            cure="its syntax is RE2's, which has no look-around and no back-references; without --regex the text "
            "itself is looked for",
        ) from None
