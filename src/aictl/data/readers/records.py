"""Records, whatever they were written as, as documents: a text field, or a conversation in one of the known
shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from aictl.data.conversations import Unusable, conversation, is_conversation
from aictl.data.documents import Document, Reading, Rejected

MAX_FIELD_BYTES = 64 * 2**20  # what is longer is no document

Convert = Callable[[Any, str, Reading], Document | Rejected]


def as_text(record: Any, source: str, reading: Reading) -> Document | Rejected:
    """The text of a record's field, or of a record that is a string itself."""
    value = record.get(reading.text_field) if isinstance(record, dict) else record
    if isinstance(value, str):
        return Document(source, value, url_of(record, reading))
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


def url_of(record: Any, reading: Reading) -> str:
    """The URL that a record holds, or nothing."""
    url = record.get(reading.url_field) if isinstance(record, dict) else None
    return url if isinstance(url, str) else ""


def no_field(fields: list[str], reading: Reading) -> tuple[str, str]:
    """Reason and detail for what has other fields than the one that is looked for."""
    found = ", ".join(sorted(fields)[:8]) or "no fields"
    return f"no field '{reading.text_field}'", f"found {found}; --text-field names another"


def is_text(record: Any, reading: Reading) -> bool:
    return isinstance(record, str) or (isinstance(record, dict) and isinstance(record.get(reading.text_field), str))


def format_of_record(record: Any, reading: Reading) -> Literal["text", "chat"] | None:
    """What a record is, or None if it is neither."""
    if is_conversation(record):
        return "chat"
    return "text" if is_text(record, reading) else None
