"""JSON and JSON Lines: records with a text field, or conversations, pairs or preferences in one of the known shapes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import IO, Any, Literal

import orjson

from aictl.data.conversations import is_conversation
from aictl.data.decode import BROKEN, SNIFF_BYTES, broken, decoded, encoding_of, open_bytes, whole_text
from aictl.data.documents import HoldsNoDocuments, InputFile, Items, Reading, Rejected, Unreadable
from aictl.data.pairs import is_pair
from aictl.data.preferences import is_preference
from aictl.data.readers.records import (
    Convert,
    as_chat,
    as_pair,
    as_preference,
    as_text,
    format_of_record,
    is_text,
)

MAX_LINE_BYTES = 64 * 2**20  # what is longer is no document, and what is made of it may be twenty times it
_DRAIN_BYTES = 2**20
_LISTS = ("data", "documents", "rows", "examples", "conversations", "train")  # where one object wraps the records


def read_lines_texts(file: InputFile, reading: Reading) -> Items:
    return _read_lines(file, reading, as_text)


def read_lines_chats(file: InputFile, reading: Reading) -> Items:
    return _read_lines(file, reading, as_chat)


def read_lines_pairs(file: InputFile, reading: Reading) -> Items:
    return _read_lines(file, reading, as_pair)


def read_lines_preferences(file: InputFile, reading: Reading) -> Items:
    return _read_lines(file, reading, as_preference)


def read_json_texts(file: InputFile, reading: Reading) -> Items:
    return _read_json(file, reading, as_text, lambda record: is_text(record, reading))


def read_json_chats(file: InputFile, reading: Reading) -> Items:
    return _read_json(file, reading, as_chat, is_conversation)


def read_json_pairs(file: InputFile, reading: Reading) -> Items:
    return _read_json(file, reading, as_pair, lambda record: is_pair(record, reading.pair_shape))


def read_json_preferences(file: InputFile, reading: Reading) -> Items:
    return _read_json(file, reading, as_preference, is_preference)


def format_of(file: InputFile, reading: Reading) -> Literal["text", "chat"] | None:
    """What the first record that can be read is, or None if it is neither or none can be read."""
    try:
        return next(format_of_json(file, reading) if file.suffix == ".json" else _format_of_lines(file, reading), None)
    except Unreadable:
        return None


def format_of_json(file: InputFile, reading: Reading) -> Iterator[Literal["text", "chat"] | None]:
    """The same of one JSON document. Raises :class:`Unreadable`."""
    yield from (format_of_record(record, reading) for record in _records(file)[:1])


def _format_of_lines(file: InputFile, reading: Reading) -> Iterator[Literal["text", "chat"] | None]:
    return (format_of_record(record, reading) for record in _parsed_lines(file))


def _read_json(file: InputFile, reading: Reading, convert: Convert, fits: Callable[[Any], bool]) -> Items:
    records = _records(file)
    if not any(fits(record) for record in records):
        raise HoldsNoDocuments
    for number, record in enumerate(records, 1):
        yield convert(record, f"{file.name}:{number}" if len(records) > 1 else file.name, reading)


def _records(file: InputFile) -> list[Any]:
    """The records of one JSON document: a list, an object that wraps a list, or a single record.
    Raises :class:`Unreadable`."""
    try:
        value = json.loads(whole_text(file))
    except json.JSONDecodeError as error:
        raise Unreadable("broken JSON", f"{error.msg} (column {error.colno})", error.lineno) from None
    except (RecursionError, ValueError) as error:  # nested too deep, or a number of too many digits
        raise Unreadable("broken JSON", str(error)) from None
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and not is_conversation(value):
        for name in _LISTS:
            if isinstance(value.get(name), list):
                return value[name]
    return [value]


def _read_lines(file: InputFile, reading: Reading, convert: Convert) -> Items:
    number = 0
    try:
        for number, line in _lines(file):
            source = f"{file.name}:{number}"
            if len(line) >= MAX_LINE_BYTES:
                yield Rejected(source, "line too long", f"{MAX_LINE_BYTES // 2**20} MiB or more")
                continue
            try:
                record = _loads(line)
            except Unreadable as error:
                yield Rejected(source, error.reason, error.detail)
            except json.JSONDecodeError as error:
                yield Rejected(source, "broken JSON", f"{error.msg} (column {error.colno})")
            except (RecursionError, ValueError) as error:
                yield Rejected(source, "broken JSON", str(error))
            else:
                yield convert(record, source, reading)
    except BROKEN as error:  # what was read before it stands
        yield broken(error, number + 1 if number else None).rejected(file)


def _loads(line: bytes) -> Any:
    """The value of a line. What the fast parser refuses, numbers such as NaN among it, Python's takes or says
    what is wrong with it."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(decoded(line, "utf-8"))


def _parsed_lines(file: InputFile) -> Iterator[Any]:
    """The records of the lines that can be parsed."""
    try:
        for _, line in _lines(file):
            try:
                yield _loads(line)
            except (Unreadable, ValueError, RecursionError):
                continue
    except (Unreadable, *BROKEN):
        return


def _lines(file: InputFile) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that are not blank, in UTF-8, each at most ``MAX_LINE_BYTES`` of a longer one."""
    with open_bytes(file) as stream:
        encoding = encoding_of(stream.read(SNIFF_BYTES))
        stream.seek(0)
        if encoding not in ("utf-8", "utf-8-sig"):
            for number, text in enumerate(whole_text(file).splitlines(), 1):
                if text.strip():
                    yield number, text.encode()
            return
        if encoding == "utf-8-sig":
            stream.seek(3)
        yield from _byte_lines(stream, file.part.line if file.part else 1)


def _byte_lines(stream: IO[bytes], first: int) -> Iterator[tuple[int, bytes]]:
    number = first - 1
    while line := stream.readline(MAX_LINE_BYTES):
        number += 1
        rest = line
        while len(rest) in (MAX_LINE_BYTES, _DRAIN_BYTES) and not rest.endswith(b"\n"):
            rest = stream.readline(_DRAIN_BYTES)
        if not line.isspace():
            yield number, line
