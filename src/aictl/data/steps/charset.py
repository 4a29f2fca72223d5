"""Bytes whose encoding nobody says: which it is, by chardet's models of letters in 99 languages.

Nothing here is done unasked: data prep reads UTF-8, and whoever has older text asks for it to be found out
(docs/decisions/text-repair.md).

- UTF-8 with a few stray bytes in it is UTF-8: the strays are read as Windows-1252, which they nearly always are.
- Mainframes' encodings are not considered, and what reads as control characters is no text.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

import chardet
from chardet import EncodingEra

ERAS = EncodingEra.ALL & ~EncodingEra.MAINFRAME
SEQUENCES_PER_STRAY = 4  # characters of UTF-8 for each byte that is none
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\x80-\x84\x86-\x9f]")
# What browsers read under the narrower name, https://encoding.spec.whatwg.org/#names-and-labels: a text may need more
# than the part of it that was looked at.
_WIDER = {"iso8859-1": "cp1252", "iso8859-9": "cp1254", "euc_kr": "cp949", "gb2312": "gb18030", "gbk": "gb18030"}
_BEYOND_ASCII = re.compile(rb"[\x80-\xff].{0,80}", re.DOTALL)
_STRAYS = "aictl-windows-1252-strays"


class Decoded(NamedTuple):
    """Text, the encoding it was in (Python's name, or ``utf-8+windows-1252``), and how sure that is, from 0 to 1."""

    text: str
    encoding: str
    confidence: float


def decode(data: bytes) -> Decoded | None:
    """The text of bytes in an encoding that nobody says, or None if they are no text."""
    try:
        return Decoded(data.decode("utf-8"), "utf-8", 1.0)
    except UnicodeDecodeError:
        pass
    if mixed := _utf8_with_strays(data):
        return mixed
    # A file may begin with more ASCII than is looked at: then by the surroundings of what is not.
    return _decoded(data, data) or _decoded(data, b" ".join(_surroundings(data)))


def _decoded(data: bytes, part: bytes) -> Decoded | None:
    """All of the data in the encoding that a part of it is in."""
    found = chardet.detect(part, encoding_era=ERAS, compat_names=False)
    if not found["encoding"]:
        return None
    try:
        name = codecs.lookup(found["encoding"]).name
        name = _WIDER.get(name, name)
        text = data.decode(name)
    except (UnicodeDecodeError, LookupError):
        return None
    if _CONTROLS.search(text):
        return None
    return Decoded(text, name, float(found["confidence"]))


def _surroundings(data: bytes) -> Iterator[bytes]:
    for match in _BEYOND_ASCII.finditer(data):
        yield data[max(0, match.start() - 80) : match.end()]


def _utf8_with_strays(data: bytes) -> Decoded | None:
    text = data.decode("utf-8", _STRAYS)
    if _CONTROLS.search(text):
        return None
    strays = len(data) - len(data.decode("utf-8", "ignore").encode())
    sequences = _beyond_ascii(text) - strays
    if sequences < SEQUENCES_PER_STRAY * strays:
        return None
    return Decoded(text, "utf-8+windows-1252", sequences / (sequences + strays))


def _beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    strays = error.object[error.start : error.end]
    return strays.decode("windows-1252", "replace"), error.end


codecs.register_error(_STRAYS, _as_windows_1252)
