"""Web archives: the pages in a WARC file, as the readers of HTML and of plain text see them.

Read are answers that were sent (``response``), what was kept without an answer (``resource``) and text that was made
of pages (``conversion``, as in the WET files of Common Crawl), where they are HTML or plain text and no message of an
error. The rest of an archive, such as images and requests, is no text and is passed over.

A record says how long it is. One that lies is set aside, and reading goes on where the next one begins.
The format: https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

from aictl.core.walk import shown
from aictl.data.decode import BROKEN, bounded, broken, open_bytes, open_packed
from aictl.data.documents import Document, HoldsNoDocuments, InputFile, Items, Reading, Rejected, Unreadable
from aictl.data.readers import html, plain_text
from aictl.data.readers.gzip_members import Members
from aictl.data.readers.http import MAX_PAGE_BYTES, Answer, NotAnAnswer, answer, of_type

MAX_RECORD_BYTES = MAX_PAGE_BYTES  # of one that is read; of one that is passed over any number
MAX_HEADER_BYTES = 64 * 2**10
MAX_URL = 2000  # characters of it in the name of a document
MAX_BACK_BYTES = 512 * 2**20  # that are read a second time in one file, because a record swallowed others
_BLOCK_BYTES = 2**20
_TYPES = (b"response", b"resource", b"conversion")
_READERS = {"html": html.read, "text": plain_text.read}
_BEGIN = re.compile(rb"\r?\n\r?\nWARC/[01]\.\d+\r?\n")


class _Record(NamedTuple):
    number: int
    fields: dict[bytes, bytes]
    block: bytes


def read(file: InputFile, reading: Reading) -> Items:
    """Yield the pages of an archive. Raises :class:`Unreadable` for what is none."""
    try:
        with _opened(file) as (stream, damages):
            for item in _records(_Again(stream), damages, file):
                if isinstance(item, Rejected):
                    yield item
                elif page := _page(item):
                    yield from _documents(file, item, page, reading)
    except BROKEN as error:  # what was read before it stands
        yield broken(error).rejected(file)


# The records


@contextmanager
def _opened(file: InputFile) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """The archive unpacked, and how many of its packed members were found damaged so far: in ``.warc.gz`` each record
    is one."""
    if file.compression != "gz":
        with open_bytes(file) as stream:
            yield stream, lambda: 0
        return
    packed = open_packed(file)
    members = Members(packed, begin=b"WARC/")
    with bounded(members, packed, file) as stream:
        yield stream, lambda: members.damaged


def _records(stream: _Again, damages: Callable[[], int], file: InputFile) -> Iterator[_Record | Rejected]:
    number = told = 0
    while line := _next_line(stream):
        for _ in range(told, damages()):
            yield Rejected(f"{file.name}:{number + 1}", "damaged", "a record near this cannot be unpacked")
        told = damages()
        number += 1
        source = f"{file.name}:{number}"
        if not line.startswith(b"WARC/"):
            if number == 1:
                raise Unreadable("not a WARC file", "it begins with something else")
            yield Rejected(source, "broken record", "something else is where a record should begin")
            _find_begin(stream)
            continue
        fields = _fields(stream)
        length = fields.get(b"content-length", b"") if fields is not None else b""
        if fields is None or not re.fullmatch(rb"\d{1,18}", length):
            why = "its header is too long" if fields is None else "it does not say how long it is"
            yield Rejected(source, "broken record", why)
            _find_begin(stream)
            continue
        yield from _record(stream, number, fields, int(length), _name(file, fields, number))


def _record(
    stream: _Again, number: int, fields: dict[bytes, bytes], length: int, source: str
) -> Iterator[_Record | Rejected]:
    wanted = fields.get(b"warc-type", b"").lower() in _TYPES
    held = wanted and length <= MAX_RECORD_BYTES
    block = stream.read(length) if held else b""
    ends = len(block) == length if held else stream.skip(length)
    if ends and _ends_here(stream):
        if held:
            yield _Record(number, fields, block)
        elif wanted:
            yield Rejected(source, "record too long", f"{length:,} bytes; {MAX_RECORD_BYTES:,} are read")
        return
    yield Rejected(source, "broken record", f"it says that it is {length:,} bytes long, and is not")
    # If it swallowed the next record, that one is read again.
    begin = _BEGIN.search(block)
    if begin and stream.back(block[begin.start() :]):
        return
    _find_begin(stream)


def _next_line(stream: _Again) -> bytes:
    """The next line that is not empty, or nothing at the end."""
    while line := stream.readline(_BLOCK_BYTES):
        if not line.isspace():
            return line
    return b""


def _find_begin(stream: _Again) -> None:
    """Go to the line with which the next record begins."""
    while line := stream.readline(_BLOCK_BYTES):
        if line.startswith((b"WARC/1.", b"WARC/0.")) and len(line) < 16:
            stream.back(line)
            return


def _fields(stream: _Again) -> dict[bytes, bytes] | None:
    """The named fields of a header, the first of each name, or None if there are too many."""
    fields: dict[bytes, bytes] = {}
    left = MAX_HEADER_BYTES
    while left > 0:
        line = stream.readline(left)
        left -= len(line)
        if not line.strip():
            return fields
        name, _, value = line.partition(b":")
        fields.setdefault(name.strip().lower(), value.strip())
    return None


def _ends_here(stream: _Again) -> bool:
    """Whether two line ends follow, or the file ends. If not, nothing has been read."""
    ends = [stream.readline(2), stream.readline(2)]
    if all(end in (b"\r\n", b"\n", b"") for end in ends):
        return True
    stream.back(b"".join(ends))
    return False


def _name(file: InputFile, fields: dict[bytes, bytes], number: int) -> str:
    url = fields.get(b"warc-target-uri", b"").strip(b"<>").decode("utf-8", "backslashreplace")
    return f"{file.name}:{shown(url[:MAX_URL]) or number}"


class _Again:
    """A stream of which a piece may be read again, but not without end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._again: IO[bytes] = io.BytesIO()
        self._back_bytes = 0

    def back(self, data: bytes) -> bool:
        """Read ``data`` before the rest; whether that is allowed still."""
        self._back_bytes += len(data)
        if self._back_bytes > MAX_BACK_BYTES:
            return False
        self._again = io.BytesIO(data + self._again.read())
        return True

    def readline(self, most: int) -> bytes:
        line = self._again.readline(most)
        if line.endswith(b"\n") or len(line) == most:
            return line
        return line + self._stream.readline(most - len(line))

    def read(self, count: int) -> bytes:
        data = self._again.read(count)
        return data if len(data) == count else data + self._stream.read(count - len(data))

    def skip(self, count: int) -> bool:
        """Go past ``count`` bytes; whether there were so many."""
        while count:
            block = self.read(min(count, _BLOCK_BYTES))
            if not block:
                return False
            count -= len(block)
        return True


# The pages


def _page(record: _Record) -> Answer | None:
    """What a record holds, or None if that is no text. A response whose answer is broken comes with its reason."""
    if record.fields.get(b"warc-target-uri", b"").lstrip(b"<").startswith(b"metadata:"):
        return None  # how wget was called, and what it said
    media_type = record.fields.get(b"content-type", b"").lower()
    if media_type.startswith(b"application/http"):
        try:
            return answer(record.block)
        except NotAnAnswer:
            return None
    return of_type(media_type.decode("latin-1"), record.block)


def _documents(file: InputFile, record: _Record, page: Answer, reading: Reading) -> Items:
    source = _name(file, record.fields, record.number)
    try:
        data = page.text()
        inner = InputFile(source, file.path, len(data), opens=lambda: io.BytesIO(data), unpacked=True)
        url = record.fields.get(b"warc-target-uri", b"").decode("utf-8", "replace").strip("<>")
        for item in _READERS[page.kind](inner, reading):
            yield Document(item.source, item.content, url) if isinstance(item, Document) else item
    except Unreadable as error:
        yield error.rejected(InputFile(source, file.path, 0))
    except HoldsNoDocuments:
        return
