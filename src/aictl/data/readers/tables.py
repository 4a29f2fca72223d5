"""CSV and TSV: a row is a document, of a column of text or of the columns of a conversation, a pair or a preference.

The first row names the columns. Fields are quoted as RFC 4180 says, and may hold line ends; what separates them the
suffix says. Rows are numbered as a spreadsheet does it: the header is row 1.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from typing import IO, Literal

from aictl.data.conversations import FIELDS, is_conversation
from aictl.data.decode import BROKEN, SNIFF_BYTES, broken, encoding_of, open_bytes, whole_text
from aictl.data.documents import Document, InputFile, Items, Reading, Rejected, Unreadable
from aictl.data.pairs import is_pair
from aictl.data.preferences import is_preference
from aictl.data.readers.records import Convert, as_chat, as_pair, as_preference, as_text, no_field

MAX_ROW_BYTES = 32 * 2**20  # a quote that is never closed makes a row of all that follows
MAX_COLUMNS = 10_000
_DRAIN_BYTES = 2**20
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def read_texts(file: InputFile, reading: Reading) -> Items:
    """Yield the text column of each row. Raises :class:`Unreadable` if the header names no such column."""
    try:
        with open_bytes(file) as stream:
            table = _Table(stream, file)
            if reading.text_field not in table.header:
                raise Unreadable(*no_field(table.header, reading))
            if reading.label_field is not None and reading.label_field not in table.header:
                raise Unreadable(*no_field(table.header, reading, "label"))
            place = table.header.index(reading.text_field)
            url = table.header.index(reading.url_field) if reading.url_field in table.header else None
            for source, row in table.rows():
                if isinstance(row, Rejected):
                    yield row
                elif reading.label_field is None:
                    yield Document(source, row[place], "" if url is None else row[url])
                else:
                    yield as_text(dict(zip(table.header, row, strict=True)), source, reading)
    except BROKEN as error:  # what was read before it stands
        yield broken(error).rejected(file)


def read_chats(file: InputFile, reading: Reading) -> Items:
    """Yield the conversation of each row: an instruction and its output, or a prompt and its answer. Raises
    :class:`Unreadable` if the header names no such columns."""
    known = f"known are {', '.join(FIELDS[2:])}"
    return _read(file, reading, as_chat, is_conversation, ("not a conversation", known))


def read_pairs(file: InputFile, reading: Reading) -> Items:
    """Yield the pair of each row. Raises :class:`Unreadable` if the header does not name both of its sides."""
    known = "--input-field and --output-field name both sides"
    return _read(file, reading, as_pair, lambda row: is_pair(row, reading.pair_shape), ("no pair", known))


def read_preferences(file: InputFile, reading: Reading) -> Items:
    """Yield the preference of each row. Raises :class:`Unreadable` if the header names no such columns."""
    known = "known are prompt, chosen and rejected"
    return _read(file, reading, as_preference, is_preference, ("no preference", known))


def _read(
    file: InputFile, reading: Reading, convert: Convert, fits: Callable[[dict[str, str]], bool], unfit: tuple[str, str]
) -> Items:
    try:
        with open_bytes(file) as stream:
            table = _Table(stream, file)
            if not fits(dict.fromkeys(table.header, "")):
                reason, known = unfit
                raise Unreadable(reason, f"found {', '.join(sorted(table.header)[:8])}; {known}")
            for source, row in table.rows():
                if isinstance(row, Rejected):
                    yield row
                else:
                    yield convert(dict(zip(table.header, row, strict=True)), source, reading)
    except BROKEN as error:
        yield broken(error).rejected(file)


def format_of(file: InputFile, reading: Reading) -> Literal["text", "chat"] | None:
    """What the header names: the columns of conversations, or that of text, or neither."""
    try:
        with open_bytes(file) as stream:
            header = _Table(stream, file).header
    except (Unreadable, *BROKEN):
        return None
    if is_conversation(dict.fromkeys(header, "")):
        return "chat"
    return "text" if reading.text_field in header else None


class _Table:
    """The rows of a file, of which the header has been read. Raises :class:`Unreadable` if there is none."""

    def __init__(self, stream: IO[bytes], file: InputFile) -> None:
        self._file = file
        self._lines = _Lines(stream, file)
        self._lines_before = 0
        csv.field_size_limit(MAX_ROW_BYTES)  # of all readers in this process: else it is 128 KiB
        self._begin()
        try:
            self.header = next(self._reader, [])
        except csv.Error as error:
            raise Unreadable("broken header", str(error), 1) from None
        if not self.header:
            raise Unreadable("no header", "the first row names the columns")
        if len(self.header) > MAX_COLUMNS or any(map(_damaged, self.header)):
            raise Unreadable("broken header", f"{len(self.header):,} columns, or names that are not UTF-8", 1)
        if twice := [name for name, count in Counter(self.header).items() if count > 1]:
            raise Unreadable("broken header", f"several columns are called '{twice[0]}'", 1)

    def _begin(self) -> None:
        self._reader = csv.reader(self._lines.given(), delimiter=_DELIMITERS[self._file.suffix], strict=True)

    def rows(self) -> Iterator[tuple[str, list[str] | Rejected]]:
        """The rows below the header, each with its source, but for empty lines."""
        number, columns, lines = 1, len(self.header), self._lines
        while True:
            number += 1
            lines.row_begins, lines.damaged = True, False
            first = self._lines_before + self._reader.line_num + 1
            source = f"{self._file.name}:{number}"
            try:
                row = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield source, Rejected(source, "broken row", f"{error} (from line {first:,} on)")
                if isinstance(error, _TooLong):
                    self._lines_before += self._reader.line_num + 1
                    self._begin()
                continue
            if len(row) == columns:
                if lines.damaged and any(map(_damaged, row)):
                    yield source, Rejected(source, "not UTF-8", f"line {first:,}")
                else:
                    yield source, row
            elif row:
                detail = f"{len(row):,}, and the header names {columns:,} (line {first:,})"
                yield source, Rejected(source, "wrong number of fields", detail)


def _damaged(field: str) -> bool:
    """Whether there were bytes in it that are not UTF-8; _Lines let them through."""
    return not field.isascii() and any("\udc80" <= character <= "\udcff" for character in field)


class _TooLong(csv.Error):
    """A row is longer than any row is."""


class _Lines:
    """Lines for the parser. Who sets ``row_begins`` before each row gets none that is longer than ``MAX_ROW_BYTES``.
    Bytes that are not UTF-8 are let through, so that the parser keeps its place; ``damaged`` says that there were some.
    """

    def __init__(self, stream: IO[bytes], file: InputFile) -> None:
        encoding = encoding_of(stream.read(SNIFF_BYTES))
        stream.seek(3 if encoding == "utf-8-sig" else 0)
        if encoding not in ("utf-8", "utf-8-sig"):
            stream = io.BytesIO(whole_text(file).encode())
        self._readline = stream.readline
        self.row_begins = True
        self.damaged = False

    def given(self) -> Iterator[str]:
        """The lines that are left: a generator, which costs a quarter less than an iterator of ours would. Raises
        :class:`_TooLong` at the end of a line."""
        row_bytes = 0
        while line := self._readline(MAX_ROW_BYTES + 1):
            if self.row_begins:
                self.row_begins, row_bytes = False, 0
            row_bytes += len(line)
            if row_bytes > MAX_ROW_BYTES:
                while line and not line.endswith(b"\n"):
                    line = self._readline(_DRAIN_BYTES)
                raise _TooLong(f"more than {MAX_ROW_BYTES:,} bytes in one row; is a quote never closed?")
            try:
                yield line.decode()
            except UnicodeDecodeError:
                self.damaged = True
                yield line.decode(errors="surrogateescape")
