"""Records, whatever they were written as, as documents: a text field, or a conversation, a pair or a preference in one
of the known shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from aictl.data import labels
from aictl.data.conversations import Unusable, conversation, is_conversation
from aictl.data.documents import Document, Reading, Rejected
from aictl.data.pairs import pair
from aictl.data.preferences import preference

MAX_FIELD_BYTES = 64 * 2**20  # what is longer is no document

Convert = Callable[[Any, str, Reading], Document | Rejected]


def as_text(record: Any, source: str, reading: Reading) -> Document | Rejected:
    """The text of a record's field, or of a record that is a string itself."""
    value = record.get(reading.text_field) if isinstance(record, dict) else record
    if isinstance(value, str):
        document = Document(source, value, url_of(record, reading))
        return document if reading.label_field is None else labelled(document, record, reading)
    if not isinstance(record, dict):
        return Rejected(source, "not a JSON object", f"it is of type {type(record).__name__}")
    if reading.text_field in record:
        return Rejected(source, "not a string", f"'{reading.text_field}' is of type {type(value).__name__}")
    return Rejected(source, *no_field(list(record), reading))


def as_chat(record: Any, source: str, reading: Reading) -> Document | Rejected:
    """The conversation that a record holds."""
    try:
        return Document(source, conversation(record), url_of(record, reading))
    except Unusable as error:
        return Rejected(source, error.reason, error.detail)


def as_pair(record: Any, source: str, reading: Reading) -> Document | Rejected:
    """The pair that a record holds."""
    try:
        return Document(source, pair(record, reading.pair_shape), url_of(record, reading))
    except Unusable as error:
        return Rejected(source, error.reason, error.detail)


def as_preference(record: Any, source: str, reading: Reading) -> Document | Rejected:
    """The preference that a record holds."""
    try:
        return Document(source, preference(record), url_of(record, reading))
    except Unusable as error:
        return Rejected(source, error.reason, error.detail)


def labelled(document: Document, record: Any, reading: Reading, names: Sequence[str] = ()) -> Document | Rejected:
    """A document with the label that its record has; ``names`` are what its numbers stand for, if that is known."""
    field = reading.label_field
    if not isinstance(record, dict) or field not in record:
        return labels.without(document.source, f"there is no field '{field}'; --label-field names another")
    try:
        found = labels.named(record[field], names)
    except labels.NoLabel as error:
        return labels.without(document.source, str(error))
    if found is None or not found.strip():
        return labels.without(document.source, f"'{field}' is empty")
    return Document(document.source, document.content, document.url, found)


def url_of(record: Any, reading: Reading) -> str:
    """The URL that a record holds, or nothing."""
    url = record.get(reading.url_field) if isinstance(record, dict) else None
    return url if isinstance(url, str) else ""


def no_field(fields: list[str], reading: Reading, what: Literal["text", "label"] = "text") -> tuple[str, str]:
    """Reason and detail for what has other fields than the one that is looked for."""
    found = ", ".join(sorted(fields)[:8]) or "no fields"
    field = reading.text_field if what == "text" else reading.label_field
    return f"no field '{field}'", f"found {found}; --{what}-field names another"


def is_text(record: Any, reading: Reading) -> bool:
    return isinstance(record, str) or (isinstance(record, dict) and isinstance(record.get(reading.text_field), str))


def format_of_record(record: Any, reading: Reading) -> Literal["text", "chat"] | None:
    """What a record is, or None if it is neither."""
    if is_conversation(record):
        return "chat"
    return "text" if is_text(record, reading) else None
