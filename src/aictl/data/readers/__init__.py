"""One reader per shape of file, chosen by suffix.

A reader takes an ``InputFile`` and the ``Reading`` and yields documents and rejections. It raises
``Unreadable`` where the file as a whole is bad, and ``HoldsNoDocuments`` where it is something else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from aictl.core import extras
from aictl.data.decode import looks_like_text
from aictl.data.documents import InputFile, Items, Part, Reading, Unreadable
from aictl.data.readers import apart, chat_yaml, html, json_records, plain_text, python_source, tables, warc

Format = Literal["text", "chat"]
Reader = Callable[[InputFile, Reading], Items]
_TABLE = apart.Bounds()
# A thousand ordinary pages take a second and little memory; what takes more than this does harm.
_PDF = apart.Bounds(memory_bytes=2 * 2**30, cpu_s=120)


def _apart(module: str, function: str, bounds: apart.Bounds) -> Reader:
    """A reader that works in a process of its own. When the first file of its kind is met, it raises
    :class:`ExtraMissing` without the libraries that it stands on."""

    def read(file: InputFile, reading: Reading) -> Items:
        extras.require("documents")
        return apart.items(f"{__name__}.{module}", function, file, reading, bounds)

    return read


_TEXT: dict[str, Reader] = {
    **dict.fromkeys((".txt", ".text", ".md", ".markdown", ".rst"), plain_text.read),
    **dict.fromkeys((".html", ".htm", ".xhtml"), html.read),
    ".py": python_source.read,
    ".json": json_records.read_json_texts,
    **dict.fromkeys((".jsonl", ".ndjson"), json_records.read_lines_texts),
    **dict.fromkeys((".csv", ".tsv"), tables.read_texts),
    ".parquet": _apart("parquet", "read_texts", _TABLE),
    ".pdf": _apart("pdf", "read", _PDF),
    **dict.fromkeys((".warc", ".wet"), warc.read),
}
_CHAT: dict[str, Reader] = {
    ".json": json_records.read_json_chats,
    **dict.fromkeys((".jsonl", ".ndjson"), json_records.read_lines_chats),
    **dict.fromkeys((".csv", ".tsv"), tables.read_chats),
    ".parquet": _apart("parquet", "read_chats", _TABLE),
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
    if file.suffix in (".csv", ".tsv"):
        return tables.format_of(file, reading)
    if file.suffix == ".parquet":
        return _columns_of(file, reading)
    if file.suffix in (".yml", ".yaml"):
        return "chat" if chat_yaml.is_corpus(file) else None
    if file.suffix in _TEXT:
        return "text"
    return "text" if (reader_for(file, "text") and looks_like_text(file)) else None


def _columns_of(file: InputFile, reading: Reading) -> Format | None:
    extras.require("documents")
    try:
        (found,) = apart.values(apart.Call(f"{__name__}.parquet", "format_of", file, reading))
    except Unreadable:
        return None
    return found


def parts_of(file: InputFile, part_bytes: int) -> list[Part]:
    """The parts of some ``part_bytes`` in which a parquet file can be read, or none if it cannot be read at all."""
    extras.require("documents")
    try:
        return [Part(*part) for part in apart.values(apart.Call(f"{__name__}.parquet", "parts", file, part_bytes))]
    except Unreadable:
        return []
