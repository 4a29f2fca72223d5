"""Bytes to text: UTF-8, or UTF-16 and UTF-32 where a byte order mark says so, gzipped or not.

Nothing is guessed. A file that is none of these is set aside: text in the wrong encoding teaches a
model wrong letters without anybody noticing.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from typing import IO

from aictl.data.documents import InputFile, Unreadable

BLOCK_BYTES = 8 * 2**20
SNIFF_BYTES = 8192
MAX_WHOLE_BYTES = 512 * 2**20  # the most that is read at once, for formats that cannot be streamed

BROKEN = (OSError, EOFError, zlib.error)  # what the disk and gzip raise; broken() says what it means

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = [
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]


def encoding_of(head: bytes) -> str:
    """The encoding of a file that begins with ``head``. Raises :class:`Unreadable` for a binary one."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head[:SNIFF_BYTES]:
        raise Unreadable("binary file")
    return "utf-8"


def looks_like_text(file: InputFile) -> bool | None:
    """Whether the beginning of a file is text in an encoding that is read here; None if it cannot be read."""
    try:
        with open_bytes(file) as stream:
            head = stream.read(SNIFF_BYTES)
    except (Unreadable, *BROKEN):
        return None
    try:
        # A character may be cut in two at the end of what was read.
        codecs.getincrementaldecoder(encoding_of(head))().decode(head)
    except (Unreadable, UnicodeDecodeError):
        return False
    return True


def open_bytes(file: InputFile) -> IO[bytes]:
    """The file's bytes, unpacked if it is gzipped. Raises :class:`Unreadable` for one that is lost."""
    if file.lost:
        raise Unreadable("cannot be read", file.lost)
    stream = file.opens() if file.opens else file.path.open("rb")
    if file.is_gzip:
        return gzip.open(stream, "rb")  # type: ignore[return-value]
    return stream


def broken(error: Exception, line: int | None = None) -> Unreadable:
    """What one of ``BROKEN`` says about a file, and how a person can check it."""
    check = "`gzip -t` checks it; copy or download it again"
    if isinstance(error, EOFError):
        return Unreadable("truncated gzip", f"it ends too early; {check}", line)
    if isinstance(error, zlib.error | gzip.BadGzipFile):
        return Unreadable("damaged gzip", f"{error}; {check}", line)
    return Unreadable("cannot be read", getattr(error, "strerror", None) or str(error), line)


def whole_bytes(file: InputFile) -> bytes:
    """All bytes of a file. Raises :class:`Unreadable` if there are too many or its gzip is broken."""
    try:
        with open_bytes(file) as stream:
            data = stream.read(MAX_WHOLE_BYTES + 1)
    except BROKEN as error:
        raise broken(error) from error
    if len(data) > MAX_WHOLE_BYTES:
        raise Unreadable(
            "too large", f"more than {MAX_WHOLE_BYTES // 2**20} MiB in one piece; JSONL and text are streamed"
        )
    return data


def decoded(data: bytes, encoding: str | None = None) -> str:
    """Text of some bytes. Raises :class:`Unreadable` with the line of the first bad byte."""
    encoding = encoding or encoding_of(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _bad_encoding(error, data.count(b"\n", 0, error.start) + 1) from None


def whole_text(file: InputFile) -> str:
    """All text of a file. Raises :class:`Unreadable`."""
    return decoded(whole_bytes(file))


def text_blocks(file: InputFile) -> Iterator[str]:
    """The text of a file in blocks of a few million characters, cut anywhere.

    A file of more than one block is decoded once beforehand, so that a bad byte at its end sets
    aside all of it and not only the rest. Raises :class:`Unreadable` before the first block.
    """
    try:
        if not file.is_gzip and file.size_bytes < BLOCK_BYTES and not file.lost:
            with open_bytes(file) as stream:
                yield decoded(stream.read())
            return
        with open_bytes(file) as stream:
            first = stream.read(BLOCK_BYTES)
            if len(first) < BLOCK_BYTES:
                yield decoded(first)
                return
        for _ in _decode_stream(file):
            pass
        yield from _decode_stream(file)
    except BROKEN as error:
        raise broken(error) from error


def _decode_stream(file: InputFile) -> Iterator[str]:
    with open_bytes(file) as stream:
        block = stream.read(BLOCK_BYTES)
        decoder = codecs.getincrementaldecoder(encoding_of(block))()
        lines = 0
        while True:
            try:
                yield decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                raise _bad_encoding(error, lines + block.count(b"\n", 0, error.start) + 1) from None
            if not block:
                return
            lines += block.count(b"\n")
            block = stream.read(BLOCK_BYTES)


def _bad_encoding(error: UnicodeDecodeError, line: int) -> Unreadable:
    byte = error.object[error.start]
    detail = f"byte 0x{byte:02x}: {error.reason}; convert it with `iconv -f LATIN1 -t UTF-8`, or whatever it is in"
    return Unreadable(f"not {error.encoding.upper()}", detail, line)
