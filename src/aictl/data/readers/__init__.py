"""One reader per shape of file, chosen by suffix.

A reader takes an ``InputFile`` and the ``Reading`` and yields documents and rejections. It raises
``Unreadable`` where the file as a whole is bad, and ``HoldsNoDocuments`` where it is something else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from aictl.data.decode import looks_like_text
from aictl.data.documents import InputFile, Items, Reading
from aictl.data.readers import chat_yaml, html, json_records, plain_text, python_source

Format = Literal["text", "chat"]
Reader = Callable[[InputFile, Reading], Items]

_TEXT: dict[str, Reader] = {
    **dict.fromkeys((".txt", ".text", ".md", ".markdown", ".rst"), plain_text.read),
    **dict.fromkeys((".html", ".htm", ".xhtml"), html.read),
    ".py": python_source.read,
    ".json": json_records.read_json_texts,
    **dict.fromkeys((".jsonl", ".ndjson"), json_records.read_lines_texts),
}
_CHAT: dict[str, Reader] = {
    ".json": json_records.read_json_chats,
    **dict.fromkeys((".jsonl", ".ndjson"), json_records.read_lines_chats),
    **dict.fromkeys((".yml", ".yaml"), chat_yaml.read),
}
SUFFIXES: dict[Format, tuple[str, ...]] = {"text": tuple(_TEXT), "chat": tuple(_CHAT)}


def reader_for(file: InputFile, format: Format) -> Reader | None:
    """Who reads this file as this format, or None.

    A file without a suffix (README, copyright) is text if it begins like text, and so is one that
    the user named, whatever its suffix. What cannot be opened might have been: its reader says why.
    """
    table = _CHAT if format == "chat" else _TEXT
    known = table.get(file.suffix)
    if known or format == "chat" or file.suffix in _CHAT:
        return known
    return plain_text.read if (not file.suffix or file.named) and looks_like_text(file) is not False else None


def format_of(file: InputFile, reading: Reading) -> Format | None:
    """The format that a file is of without doubt, or None where it has no say: neither its suffix
    nor its first record tells."""
    if file.suffix in (".json", ".jsonl", ".ndjson"):
        return json_records.format_of(file, reading)
    if file.suffix in (".yml", ".yaml"):
        return "chat" if chat_yaml.is_corpus(file) else None
    return "text" if file.suffix in _TEXT or (reader_for(file, "text") and looks_like_text(file)) else None
