"""Parquet of pictures: a row is one, as bytes or as Hugging Face's ``{"bytes", "path"}``, with a label beside it.

This is run apart, see :mod:`aictl.data.readers.apart`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from aictl.data.documents import Document, InputFile, Items, Reading, Rejected, Unreadable
from aictl.data.readers.parquet import bounded, opened, records
from aictl.data.readers.parquet_columns import class_names, image_column, label_column
from aictl.data.readers.pictures import decoded


def read(file: InputFile, reading: Reading) -> Items:
    """Yield the picture of each row. Raises :class:`Unreadable` if no column is known to hold them."""
    with opened(file) as parquet:
        schema = parquet.schema_arrow
        image = image_column(schema, reading)
        if image is None:
            found = ", ".join(sorted(schema.names)[:8]) or "no columns"
            raise Unreadable("no pictures", f"found {found}; --image-field names the column, of bytes")
        label = label_column(schema, reading)
        names = class_names(schema, label) if label else []
        rows = records(parquet, file, [image, *([label] if label else [])], text=False)
        yield from bounded(_documents(rows, (image, label, names), reading), file)


def classes(file: InputFile, reading: Reading) -> Iterator[str]:
    """The names of all classes in the order of their numbers, if the schema says them. Raises :class:`Unreadable`."""
    with opened(file) as parquet:
        schema = parquet.schema_arrow
        label = label_column(schema, reading)
        yield from class_names(schema, label) if label else ()


def _documents(
    rows: Iterator[tuple[str, dict[str, Any] | Rejected]],
    columns: tuple[str, str | None, Sequence[str]],
    reading: Reading,
) -> Items:
    image, label, names = columns
    for source, row in rows:
        if isinstance(row, Rejected):
            yield row
            continue
        try:
            found = decoded(_data(row[image]), reading.max_pixels)
            yield Document(source, replace(found, label=_named(row[label], names) if label else None))
        except Unreadable as error:
            yield Rejected(source, error.reason, error.detail)


def _data(value: Any) -> bytes:
    if isinstance(value, dict):
        if value["bytes"] is None and value["path"]:
            raise Unreadable("no bytes", f"there is only the path {value['path'][:200]}")
        value = value["bytes"]
    if value is None:
        raise Unreadable("no bytes", "there is nothing in the row")
    return value


def _named(value: Any, names: Sequence[str]) -> str | None:
    """A label as it stands in a dataset; -1 is how ``datasets`` writes that there is none."""
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, int):
        raise Unreadable("no label", f"one of type {type(value).__name__}, and not a number or a name")
    if isinstance(value, bool) or not names:
        return None if value == -1 else str(int(value))
    if not -1 <= value < len(names):
        raise Unreadable("no label", f"{value}, and there are {len(names):,} classes")
    return None if value < 0 else names[value]
