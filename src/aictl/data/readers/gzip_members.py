"""Gzip files of many members that stand for themselves, such as the records of a web archive: behind a member that is
damaged, or was torn when a crawler died and wrote on, reading goes on with the next."""

from __future__ import annotations

import io
import zlib
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

MAX_KEPT_BYTES = 64 * 2**20  # of a member, in which the next one is sought if it is damaged
MAX_SOUGHT_BYTES = 512 * 2**20  # in all: what is damaged everywhere is given up
_MAGIC = b"\x1f\x8b\x08"
_BLOCK_BYTES = 2**18
_PEEK_BYTES = 2**10
_APART = b"\r\n\r\n"  # in the place of what is lost


class Members(io.RawIOBase):
    """What is in all members, put together, where each begins with ``begin``. Two line ends stand for what is lost of
    a damaged one, so that what follows begins a line; ``damaged`` counts these members, behind which others follow.

    Raises :class:`EOFError` where the last member is cut short, and ``zlib.error`` where no other follows a damaged
    one.
    """

    def __init__(self, packed: IO[bytes], *, begin: bytes) -> None:
        self._packed, self._begin_with = packed, begin
        self.damaged = 0
        self._unpacker: Any = None
        self._left = b""  # read, but not unpacked
        self._member: list[bytes] = []  # the packed bytes of this member so far
        self._kept_bytes = self._sought_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto1(self, buffer: Buffer) -> int:
        return self.readinto(buffer)

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer).cast("B")
        while True:
            if not self._left:
                self._left = self._packed.read(_BLOCK_BYTES)
                if not self._left:
                    if not self._unpacker:
                        return 0
                    # A torn member can unpack those behind it as if they were its own, to the end of the file.
                    if not self._go_on():
                        raise EOFError
                    return _put(_APART, view)
                self._keep(self._left)
            if not self._unpacker:
                # Some pad a file with zeros.
                self._left = self._left.lstrip(b"\0")
                if not self._left:
                    continue
                self._unpacker = zlib.decompressobj(31)
                self._member, self._kept_bytes = [], 0
                self._keep(self._left)
            try:
                data = self._unpacker.decompress(self._left, len(view))
            except zlib.error:
                if not self._go_on():
                    raise zlib.error("a member of it is damaged, and no other follows") from None
                data = _APART
            else:
                self._left = self._unpacker.unconsumed_tail
                if self._unpacker.eof:
                    self._left = self._unpacker.unused_data
                    self._unpacker = None
            if data:
                return _put(data, view)

    def _keep(self, block: bytes) -> None:
        self._kept_bytes += len(block)
        if self._unpacker and self._kept_bytes <= MAX_KEPT_BYTES:
            self._member.append(block)

    def _go_on(self) -> bool:
        """Whether there is another member behind the beginning of this one, which is damaged; then that is next."""
        data, place = b"".join(self._member), 0
        while self._sought_bytes < MAX_SOUGHT_BYTES:
            found = data.find(_MAGIC, place + 1)
            if found < 0:
                more = self._packed.read(_BLOCK_BYTES)
                if not more:
                    break
                self._sought_bytes += len(more)
                data, place = data[1 - len(_MAGIC) :] + more, -1
                continue
            place = found
            if len(data) - place < _PEEK_BYTES:
                data, place = data[place:] + self._packed.read(_PEEK_BYTES), 0
            if self._is_member(data[place : place + _PEEK_BYTES]):
                self._sought_bytes += len(data) - place
                self._unpacker, self._left = None, data[place:]
                self.damaged += 1
                return True
        return False

    def _is_member(self, data: bytes) -> bool:
        try:
            return zlib.decompressobj(31).decompress(data, len(self._begin_with)) == self._begin_with
        except zlib.error:
            return False


def _put(data: bytes, view: memoryview) -> int:
    view[: len(data)] = data
    return len(data)
