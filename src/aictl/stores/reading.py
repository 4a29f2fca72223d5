"""One object as a stream of bytes, which goes on where it was cut off.

What is read comes in pieces, the first small, for those who only look at the beginning. Each piece is asked for
until it comes, so that a connection that breaks in mid-stream costs one piece; only when patience is at
an end is :class:`TryLater` raised, which says how far it came.
"""

from __future__ import annotations

import io
from typing import IO, cast

from aictl.core.errors import TryLater
from aictl.stores.backend import Changed, Entry, Reader

FIRST_BYTES = 2**20
PIECE_BYTES = 8 * 2**20
_BUFFER_BYTES = 2**18


def stream(reader: Reader, entry: Entry, where: str) -> IO[bytes]:
    """The object as a file that is open for reading and can be sought in; ``where`` names it in errors."""
    return cast("IO[bytes]", io.BufferedReader(_Pieces(reader, entry, where), _BUFFER_BYTES))


class _Pieces(io.RawIOBase):
    def __init__(self, reader: Reader, entry: Entry, where: str) -> None:
        super().__init__()
        self._reader, self._size, self._where = reader, entry.size_bytes, where
        self._at = 0
        self._piece, self._begin = memoryview(b""), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._at >= self._size or not len(buffer):
            return 0
        end = self._begin + len(self._piece)
        if not self._begin <= self._at < end:
            self._fetch(follows=self._at == end and end > 0)
            end = self._begin + len(self._piece)
        count = min(len(buffer), end - self._at)
        offset = self._at - self._begin
        memoryview(buffer).cast("B")[:count] = self._piece[offset : offset + count]
        self._at += count
        return count

    def _fetch(self, *, follows: bool) -> None:
        end = min(self._at + (PIECE_BYTES if follows else FIRST_BYTES), self._size)
        try:
            self._piece = memoryview(self._reader.read(self._at, end))
        except Changed:
            raise
        except TryLater as error:
            raise TryLater(
                f"{self._where} stopped at byte {self._at:,} of {self._size:,}: {error.message}", cure=error.cure
            ) from error
        self._begin = self._at

    def close(self) -> None:
        if not self.closed:
            self._reader.close()
        super().close()
