"""Parquet of pictures: a row is one, as bytes or as Hugging Face's ``{"bytes", "path"}``, with a label beside it.

This is run apart, see :mod:`aictl.data.readers.apart`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from aictl.data import labels
from aictl.data.annotations import Unfit, boxes_of
from aictl.data.documents import Document, InputFile, Items, Reading, Rejected, Unreadable
from aictl.data.readers.parquet import bounded, opened, records
from aictl.data.readers.parquet_columns import (
    caption_column,
    class_names,
    image_column,
    label_column,
    object_names,
    objects_column,
)
from aictl.data.readers.pictures import decoded


class _Columns(NamedTuple):
    """The columns of a table, and what the numbers in two of them stand for."""

    image: str
    label: str | None
    names: Sequence[str]
    caption: str | None
    objects: str | None
    object_names: Sequence[str]


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
        caption, objects = caption_column(schema, reading), objects_column(schema)
        columns = _Columns(image, label, names, caption, objects, object_names(schema))
        wanted = [one for one in (image, label, caption, objects) if one]
        rows = records(parquet, file, list(dict.fromkeys(wanted)), text=False)
        yield from bounded(_documents(rows, columns, reading), file)


def classes(file: InputFile, reading: Reading) -> Iterator[str]:
    """The names of all classes in the order of their numbers, if the schema says them. Raises :class:`Unreadable`."""
    with opened(file) as parquet:
        schema = parquet.schema_arrow
        if objects_column(schema) and image_column(schema, reading):
            yield from object_names(schema)
            return
        label = label_column(schema, reading)
        yield from class_names(schema, label) if label else ()


def _documents(
    rows: Iterator[tuple[str, dict[str, Any] | Rejected]],
    columns: _Columns,
    reading: Reading,
) -> Items:
    for source, row in rows:
        if isinstance(row, Rejected):
            yield row
            continue
        try:
            found = decoded(_data(row[columns.image]), reading.max_pixels)
            label = labels.named(row[columns.label], columns.names) if columns.label else None
            caption = row[columns.caption] if columns.caption else None
            boxes = boxes_of(row[columns.objects], columns.object_names) if columns.objects else None
            yield Document(source, replace(found, label=label, caption=caption, boxes=boxes))
        except labels.NoLabel as error:
            yield labels.without(source, str(error))
        except Unfit as error:
            yield Rejected(source, error.reason, error.detail)
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
