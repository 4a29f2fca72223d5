"""One reader per shape of file, chosen by suffix.

A reader takes an ``InputFile`` and the ``Reading`` and yields documents and rejections. It raises
``Unreadable`` where the file as a whole is bad, and ``HoldsNoDocuments`` where it is something else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from aictl.core import extras
from aictl.data.decode import MAX_RATIO, SMALL_WHOLE_BYTES, looks_like_text
from aictl.data.documents import Document, Image, InputFile, Items, Part, Reading, Unreadable
from aictl.data.readers import apart, chat_yaml, html, idx_names, json_records, plain_text, python_source, tables, warc

Format = Literal["text", "chat", "image", "pair", "preference"]
Reader = Callable[[InputFile, Reading], Items]
_TABLE = apart.Bounds()
_JSON = apart.Bounds(memory_bytes=6 * 2**30)
# A thousand ordinary pages take a second and little memory; what takes more than this does harm.
_PDF = apart.Bounds(memory_bytes=2 * 2**30, cpu_s=120)
_PICTURE = apart.Bounds(cpu_s=120)  # what the bound on pixels lets through takes a few seconds
_PICTURES = apart.Bounds()


def _apart(module: str, function: str, bounds: apart.Bounds) -> Reader:
    """A reader that works in a process of its own. When the first file of its kind is met, it raises
    :class:`ExtraMissing` without the libraries that it stands on."""

    def read(file: InputFile, reading: Reading) -> Items:
        extras.require("documents")
        return apart.items(f"{__name__}.{module}", function, file, reading, bounds)

    return read


def _pictures(module: str, bounds: apart.Bounds) -> Reader:
    """A reader of pictures, which works apart too. What is a file of its own has the name of its folder as label."""

    def read(file: InputFile, reading: Reading) -> Items:
        extras.require("images")
        for item in apart.items(f"{__name__}.{module}", "read", file, reading, bounds):
            if isinstance(item, Document) and isinstance(item.content, Image) and module == "pictures":
                yield replace(item, content=replace(item.content, label=file.folder or None))
            else:
                yield item

    return read


def _parquet_pictures(file: InputFile, reading: Reading) -> Items:
    extras.require("documents")
    return _pictures("parquet_images", _PICTURES)(file, reading)


def _json(function: Callable[[InputFile, Reading], Items]) -> Reader:
    """A reader of whole JSON documents, which works apart where they are large: what is made of one by spite takes
    twenty times its bytes."""

    def read(file: InputFile, reading: Reading) -> Items:
        if _is_large(file):
            return apart.items(function.__module__, function.__name__, file, reading, _JSON)
        return function(file, reading)

    return read


def _is_large(file: InputFile) -> bool:
    return file.size_bytes * (MAX_RATIO if file.compression else 1) > SMALL_WHOLE_BYTES


_TEXT: dict[str, Reader] = {
    **dict.fromkeys((".txt", ".text", ".md", ".markdown", ".rst"), plain_text.read),
    **dict.fromkeys((".html", ".htm", ".xhtml"), html.read),
    ".py": python_source.read,
    ".json": _json(json_records.read_json_texts),
    **dict.fromkeys((".jsonl", ".ndjson"), json_records.read_lines_texts),
    **dict.fromkeys((".csv", ".tsv"), tables.read_texts),
    ".parquet": _apart("parquet", "read_texts", _TABLE),
    ".pdf": _apart("pdf", "read", _PDF),
    **dict.fromkeys((".warc", ".wet"), warc.read),
}
_CHAT: dict[str, Reader] = {
    ".json": _json(json_records.read_json_chats),
    **dict.fromkeys((".jsonl", ".ndjson"), json_records.read_lines_chats),
    **dict.fromkeys((".csv", ".tsv"), tables.read_chats),
    ".parquet": _apart("parquet", "read_chats", _TABLE),
    **dict.fromkeys((".yml", ".yaml"), chat_yaml.read),
}
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".pgm", ".ppm")
_IMAGE: dict[str, Reader] = {
    **dict.fromkeys(_PICTURE_SUFFIXES, _pictures("pictures", _PICTURE)),
    ".parquet": _parquet_pictures,
}
_idx = _pictures("idx", _PICTURES)
_READERS: dict[Format, dict[str, Reader]] = {"text": _TEXT, "chat": _CHAT, "image": _IMAGE}
SUFFIXES: dict[Format, tuple[str, ...]] = {format: tuple(table) for format, table in _READERS.items()}


def reader_for(file: InputFile, format: Format) -> Reader | None:
    """Who reads this file as this format, or None.

    A file without a suffix (README, copyright) is text if it begins like text, and so is one that
    the user named, whatever its suffix. What cannot be opened might have been: its reader says why.
    """
    if format == "image" and idx_names.is_images(file.name):
        return _idx
    known = _READERS[format].get(file.suffix)
    if known or format != "text" or file.suffix in _CHAT:
        return known
    return plain_text.read if (not file.suffix or file.named) and looks_like_text(file) is not False else None


def format_of(file: InputFile, reading: Reading) -> Format | None:
    """The format that a file is of without doubt, or None where it has no say: neither its suffix
    nor its first record tells. A picture has none: it may be there for the text beside it."""
    if idx_names.is_images(file.name):
        return "image"
    if looked := _LOOKS.get(file.suffix):
        return looked(file, reading)
    if file.suffix in _TEXT:
        return "text"
    return "text" if (reader_for(file, "text") and looks_like_text(file)) else None


def _of_json(file: InputFile, reading: Reading) -> Format | None:
    if _is_large(file):
        return _looked_apart("json_records", "format_of_json", file, reading, _JSON)
    return json_records.format_of(file, reading)


def _of_columns(file: InputFile, reading: Reading) -> Format | None:
    extras.require("documents")
    return _looked_apart("parquet", "format_of", file, reading, _TABLE)


def _looked_apart(module: str, function: str, file: InputFile, reading: Reading, bounds: apart.Bounds) -> Format | None:
    try:
        found = list(apart.values(apart.Call(f"{__name__}.{module}", function, file, reading, bounds)))
    except Unreadable:
        return None
    return found[0] if found else None


def _of_yaml(file: InputFile, reading: Reading) -> Format | None:
    return "chat" if chat_yaml.is_corpus(file) else None


_LOOKS: dict[str, Callable[[InputFile, Reading], Format | None]] = {
    ".json": _of_json,
    **dict.fromkeys((".jsonl", ".ndjson"), json_records.format_of),
    **dict.fromkeys((".csv", ".tsv"), tables.format_of),
    ".parquet": _of_columns,
    **dict.fromkeys((".yml", ".yaml"), _of_yaml),
}


def parts_of(file: InputFile, part_bytes: int) -> list[Part]:
    """The parts of some ``part_bytes`` in which a parquet file can be read, or none if it cannot be read at all."""
    extras.require("documents")
    try:
        return [Part(*part) for part in apart.values(apart.Call(f"{__name__}.parquet", "parts", file, part_bytes))]
    except Unreadable:
        return []


def classes_of(file: InputFile, reading: Reading) -> list[str]:
    """The names of all labels that pictures of a parquet file may have, in their order, if it says them."""
    extras.require("documents")
    try:
        return list(apart.values(apart.Call(f"{__name__}.parquet_images", "classes", file, reading)))
    except Unreadable:
        return []
