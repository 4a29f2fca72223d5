"""What a web server answered: the page in it, unpacked, in an encoding that its reader finds.

The format of answers: RFC 9112. Archives often hold a body that was unpacked already under a header that says it is
not, so that what does not look packed is taken as it is.
"""

from __future__ import annotations

import codecs
import re
import sys
import zlib
from typing import Any, Literal, NamedTuple

from aictl.core import extras
from aictl.data.decode import NOTATIONS
from aictl.data.documents import Unreadable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_PAGE_BYTES = 32 * 2**20  # packed or unpacked
_MAX_HEADER_BYTES = 64 * 2**10
_MAX_CODINGS = 3
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? +2\d\d(?: |\r?\n)")
_END = re.compile(rb"\r?\n\r?\n")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:+-]+)", re.IGNORECASE | re.ASCII)
_KINDS: dict[str, Literal["html", "text"]] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/plain": "text",
}
# What these names mean on the web: https://encoding.spec.whatwg.org/#names-and-labels
_MEANT = {
    **dict.fromkeys(("iso8859-1", "ascii"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}


class NotAnAnswer(Exception):
    """These bytes hold no page: another status than one of success, or no answer at all."""


class Answer(NamedTuple):
    """A page: its kind, the encoding that the server named, its body and how that is packed, the last coding first."""

    kind: Literal["html", "text"]
    charset: str | None
    body: bytes
    codings: tuple[str, ...] = ()

    def text(self) -> bytes:
        """The body unpacked, in UTF-8 with its mark if the server named an encoding that fits, else as it is, to be
        judged by its own declarations. Raises :class:`Unreadable` for what is broken or too large."""
        data = self.body
        for coding in self.codings:
            data = _unpacked(data, coding)
        if self.charset and not data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            try:
                return codecs.BOM_UTF8 + data.decode(_encoding(self.charset)).encode()
            except (LookupError, ValueError):  # no such encoding, or it does not fit
                return data
        return data


def answer(data: bytes) -> Answer | None:
    """The page that an answer holds, or None if it is of another type. Raises :class:`NotAnAnswer`."""
    end = _END.search(data, 0, _MAX_HEADER_BYTES)
    if not end or not _STATUS.match(data):
        raise NotAnAnswer
    fields: dict[str, str] = {}
    for line in data[: end.start()].decode("latin-1").splitlines()[1:]:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    codings = [*_listed(fields.get("content-encoding", "")), *_listed(fields.get("transfer-encoding", ""))]
    return of_type(fields.get("content-type", ""), data[end.end() :], tuple(reversed(codings)))


def of_type(content_type: str, body: bytes, codings: tuple[str, ...] = ()) -> Answer | None:
    """The page of this type, or None if it is neither HTML nor plain text."""
    kind = _KINDS.get(content_type.partition(";")[0].partition(",")[0].strip().lower())
    if kind is None:
        return None
    charset = _CHARSET.search(content_type)
    return Answer(kind, charset[1] if charset else None, body, codings)


def _encoding(charset: str) -> str:
    """Python's name for what a server called so. Raises :class:`LookupError`."""
    name = codecs.lookup(charset).name
    if name in NOTATIONS:
        raise LookupError(name)
    return _MEANT.get(name, name)


def _listed(value: str) -> list[str]:
    return [one for name in value.split(",") if (one := name.strip().lower()) and one != "identity"]


# Unpacking


def _unpacked(data: bytes, coding: str) -> bytes:
    if coding == "chunked":
        return _joined(data)
    if coding in ("gzip", "x-gzip"):
        return _bounded(zlib.decompressobj(31), data) if data.startswith(b"\x1f\x8b") else data
    if coding == "deflate":  # with zlib's header as the standard says, or without, as many servers do
        headed = len(data) > 1 and data[0] & 15 == 8 and int.from_bytes(data[:2]) % 31 == 0
        return _bounded(zlib.decompressobj(15 if headed else -15), data)
    if coding == "zstd":
        return _bounded(zstd.ZstdDecompressor(), data) if data.startswith(b"\x28\xb5\x2f\xfd") else data
    if coding == "br":
        return _of_brotli(data)
    raise Unreadable("unknown packing", f"the server called it {coding[:40]!r}")


_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,1000})?\r?\n")


def _joined(data: bytes) -> bytes:
    """Chunks put together; data as it is if it does not begin like a chunk."""
    chunks: list[bytes] = []
    place = 0
    while match := _CHUNK.match(data, place):
        begin = match.end()
        place = begin + int(match[1], 16)
        if begin == place:
            return b"".join(chunks)
        if place > len(data):
            raise Unreadable("truncated", "its last chunk is not all there")
        chunks.append(data[begin:place])
        place += 2 if data.startswith(b"\r\n", place) else 1
    if not chunks:
        return data
    raise Unreadable("truncated", f"no chunk begins at byte {place:,} of it")


def _bounded(unpacker: Any, data: bytes) -> bytes:
    try:
        found: bytes = unpacker.decompress(data, MAX_PAGE_BYTES + 1)
    except (zlib.error, zstd.ZstdError) as error:
        raise Unreadable("damaged", f"it cannot be unpacked: {error}") from None
    if len(found) > MAX_PAGE_BYTES:
        raise _too_much(data)
    if not unpacker.eof:
        raise Unreadable("truncated", "it is packed, and ends too early")
    return found


def _of_brotli(data: bytes) -> bytes:
    extras.require("documents")
    import brotli

    unpacker = brotli.Decompressor()
    parts, size_bytes = [], 0
    try:
        part = unpacker.process(data, output_buffer_limit=MAX_PAGE_BYTES + 1)
        while part or not unpacker.can_accept_more_data():
            parts.append(part)
            size_bytes += len(part)
            if size_bytes > MAX_PAGE_BYTES:
                raise _too_much(data)
            part = unpacker.process(b"", output_buffer_limit=MAX_PAGE_BYTES + 1)
    except brotli.error:
        if parts:
            raise Unreadable("damaged", "it cannot be unpacked") from None
        return data  # brotli has no mark by which to tell
    if not unpacker.is_finished():
        raise Unreadable("truncated", "it is packed, and ends too early")
    return b"".join(parts)


def _too_much(data: bytes) -> Unreadable:
    return Unreadable("unpacks to too much", f"{len(data):,} bytes to more than {MAX_PAGE_BYTES:,}")
