"""Bytes to text: UTF-8, or UTF-16 and UTF-32 where a byte order mark says so, packed by gzip or zstandard or not.

Nothing is guessed unasked. A file that is none of these is set aside: text in the wrong encoding teaches a
model wrong letters without anybody noticing.
"""

from __future__ import annotations

import codecs
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from aictl.data.documents import InputFile, Part, Unreadable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

BLOCK_BYTES = 8 * 2**20
SNIFF_BYTES = 8192
BUFFER_BYTES = 2**18
ZSTD_WINDOW_LOG = 27  # the largest window that is taken: what `zstd --long` writes, 128 MiB
MAX_WHOLE_BYTES = 512 * 2**20  # the most that is read at once, for formats that cannot be streamed
# Text packs 2 to 20 times, a log perhaps 100; a bomb of deflate reaches 1,032, and one of zstandard any number.
MAX_RATIO = 200
SMALL_BYTES = 2**30  # up to here a file may unpack to as much as it likes, if it is streamed
SMALL_WHOLE_BYTES = 64 * 2**20  # and up to here if it is read at once: what is made of its bytes may be ten times them

# What the disk and the unpackers raise; broken() says what it means.
BROKEN = (OSError, EOFError, zlib.error, zstd.ZstdError)

_CHECK = "`gzip -t` or `zstd -t` checks it; copy or download it again"

# Notations of Python and of names of hosts, which a file may call its encoding: to decode a long text from the first
# takes time that grows with its square.
NOTATIONS = frozenset(
    ("punycode", "idna", "unicode_escape", "raw_unicode_escape", "unicode-escape", "raw-unicode-escape")
)

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
    """The file's bytes, unpacked if they are packed. Raises :class:`Unreadable` for one that is lost, and when
    it is read for one that unpacks to more than ``MAX_RATIO`` times its size."""
    if file.compression:
        packed = open_packed(file)
        return bounded(_unpacking(packed, file.compression), packed, file)
    stream = open_packed(file)
    return io.BufferedReader(_Part(stream, file.part), BUFFER_BYTES) if file.part else stream


def open_packed(file: InputFile) -> IO[bytes]:
    """The file's bytes as they lie there. Raises :class:`Unreadable` for one that is lost."""
    if file.lost:
        raise Unreadable("cannot be read", file.lost)
    return file.opens() if file.opens else file.path.open("rb", BUFFER_BYTES)


def _unpacking(packed: IO[bytes], compression: str) -> Any:
    if compression == "gz":
        return gzip.GzipFile(fileobj=packed)
    return zstd.open(packed, options={int(zstd.DecompressionParameter.window_log_max): ZSTD_WINDOW_LOG})


def bounded(unpacking: Any, packed: IO[bytes], file: InputFile) -> IO[bytes]:
    """What ``unpacking`` gives, as long as it is not far more than the size of the file lets one expect. Closes both
    streams."""
    return io.BufferedReader(_Bounded(unpacking, packed, file.size_bytes), BUFFER_BYTES)


class _Bounded(io.RawIOBase):
    def __init__(self, unpacking: Any, packed: IO[bytes], size_bytes: int) -> None:
        self._stream = unpacking
        self._packed = packed
        self._size_bytes = size_bytes
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = self._stream.seek(offset, whence)
        return self._place

    def readinto(self, buffer: Buffer) -> int:
        count: int = self._stream.readinto1(buffer)  # what there is, so that it is not lost where a file breaks off
        self._place += count
        if self._place > max(SMALL_BYTES, MAX_RATIO * self._size_bytes):
            raise Unreadable("unpacks to too much", f"{self._size_bytes:,} bytes to more than {self._place:,}")
        return count

    def close(self) -> None:
        self._stream.close()
        self._packed.close()
        super().close()


class _Part(io.RawIOBase):
    """A part of a file, which looks like a whole one."""

    def __init__(self, file: IO[bytes], part: Part) -> None:
        self._file = file
        self._part = part
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        assert whence == io.SEEK_SET
        self._place = offset
        return offset

    def readinto(self, buffer: Buffer) -> int:
        wanted = memoryview(buffer)[: max(0, self._part.size_bytes - self._place)]
        self._file.seek(self._part.begin + self._place)
        data = self._file.read(len(wanted))
        wanted[: len(data)] = data
        self._place += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def broken(error: Exception, line: int | None = None) -> Unreadable:
    """What one of ``BROKEN`` says about a file, and how a person can check it."""
    if isinstance(error, EOFError):
        return Unreadable("truncated", f"it is packed, and ends too early; {_CHECK}", line)
    if isinstance(error, zlib.error | gzip.BadGzipFile | zstd.ZstdError):
        return Unreadable("damaged", f"it cannot be unpacked: {error}; {_CHECK}", line)
    return Unreadable("cannot be read", getattr(error, "strerror", None) or str(error), line)


def whole_bytes(file: InputFile) -> bytes:
    """All bytes of a file. Raises :class:`Unreadable` if there are too many or its gzip is broken."""
    most = MAX_WHOLE_BYTES
    if file.compression:
        most = min(most, max(SMALL_WHOLE_BYTES, MAX_RATIO * file.size_bytes))
    try:
        with open_bytes(file) as stream:
            data = stream.read(most + 1)
    except BROKEN as error:
        raise broken(error) from error
    if len(data) > most < MAX_WHOLE_BYTES:
        raise Unreadable("unpacks to too much", f"{file.size_bytes:,} bytes to more than {most:,}")
    if len(data) > most:
        raise Unreadable(
            "too large", f"more than {MAX_WHOLE_BYTES // 2**20} MiB in one piece; JSONL and text are streamed"
        )
    return data


def decoded(data: bytes, encoding: str | None = None, *, detect: bool = False) -> str:
    """Text of some bytes; with ``detect`` in whatever encoding they are found to be. Raises :class:`Unreadable` with
    the line of the first bad byte, and for an encoding that is none of text."""
    try:
        return _decoded(data, encoding or encoding_of(data))
    except Unreadable:
        if detect:
            from aictl.data.steps import charset

            if found := charset.decode(data):
                return found.text
        raise


def _decoded(data: bytes, encoding: str) -> str:
    if encoding in NOTATIONS:
        raise Unreadable("unknown encoding", f"{encoding} is no encoding of files")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _bad_encoding(error, data.count(b"\n", 0, error.start) + 1) from None
    except (LookupError, UnicodeError) as error:
        raise Unreadable("unknown encoding", str(error)) from None


def whole_text(file: InputFile) -> str:
    """All text of a file. Raises :class:`Unreadable`."""
    return decoded(whole_bytes(file))


def text_blocks(file: InputFile, *, detect: bool = False) -> Iterator[str]:
    """The text of a file in blocks of a few million characters, cut anywhere. With ``detect``, what is not UTF-8 is
    one block, in whatever encoding it is found to be.

    A file of more than one block is decoded once beforehand, so that a bad byte at its end sets
    aside all of it and not only the rest. Raises :class:`Unreadable` before the first block.
    """
    if not detect:
        yield from _text_blocks(file)
        return
    try:
        yield from _text_blocks(file)
    except Unreadable:
        yield decoded(whole_bytes(file), detect=True)


def _text_blocks(file: InputFile) -> Iterator[str]:
    try:
        if not file.compression and file.size_bytes < BLOCK_BYTES and not file.lost:
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
    cure = "`iconv -f LATIN1 -t UTF-8` converts it; --unknown-encoding detect finds out what it is in"
    detail = f"byte 0x{byte:02x}: {error.reason}; {cure}"
    return Unreadable(f"not {error.encoding.upper()}", detail, line)
