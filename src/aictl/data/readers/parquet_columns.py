"""Which columns of a table hold pictures and their labels: by name, or by what Hugging Face's ``datasets`` writes of
them into the schema (https://huggingface.co/docs/datasets/about_dataset_features)."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from aictl.data.documents import Reading, Unreadable

_METADATA = b"huggingface"
_USUAL = Reading()
USUAL_LABEL = "label"
USUAL_CAPTIONS = ("caption", "text")
OBJECTS = "objects"  # a column of structs of lists, as Hugging Face has it for what is where in a picture


def image_column(schema: pa.Schema, reading: Reading) -> str | None:
    """The column of pictures, each as bytes or as ``{"bytes", "path"}``: the one of that name, or the only one of the
    latter kind."""
    names = schema.names
    if names.count(reading.image_field) == 1:
        kind = schema.field(reading.image_field).type
        return reading.image_field if _is_bytes(kind) or _is_file(kind) else None
    if reading.image_field != _USUAL.image_field:
        return None
    files = [field.name for field in schema if _is_file(field.type)]
    return files[0] if len(files) == 1 and names.count(files[0]) == 1 else None


def label_column(schema: pa.Schema, reading: Reading) -> str | None:
    """The column of labels: the one of that name, or the only one that is said to hold classes. Raises
    :class:`Unreadable` if one was asked for that is not there."""
    usual = reading.label_field in (None, USUAL_LABEL)
    wanted = reading.label_field or USUAL_LABEL
    if schema.names.count(wanted) == 1:
        return wanted
    if not usual:
        found = ", ".join(sorted(schema.names)[:8])
        raise Unreadable(f"no field '{reading.label_field}'", f"found {found}; --label-field names another")
    once = (name for name in schema.names if schema.names.count(name) == 1)
    named = [name for name in once if class_names(schema, name)]
    return named[0] if len(named) == 1 else None


def caption_column(schema: pa.Schema, reading: Reading) -> str | None:
    """The column of captions. Raises :class:`Unreadable` if one was asked for that is not there."""
    wanted = USUAL_CAPTIONS if reading.caption_field is None else (reading.caption_field,)
    there = [name for name in wanted if schema.names.count(name) == 1 and _is_text(schema.field(name).type)]
    if reading.caption_field is not None and not there:
        found = ", ".join(sorted(schema.names)[:8])
        raise Unreadable(f"no field '{reading.caption_field}'", f"found {found}; --caption-field names another")
    return there[0] if there else None


def objects_column(schema: pa.Schema) -> str | None:
    """The column that says what is where in a picture, if there is one."""
    there = schema.names.count(OBJECTS) == 1 and pa.types.is_struct(schema.field(OBJECTS).type)
    return OBJECTS if there else None


def object_names(schema: pa.Schema) -> list[str]:
    """What the numbers of objects' classes stand for, or nothing if the schema does not say."""
    try:
        features: Any = json.loads((schema.metadata or {})[_METADATA])["info"]["features"][OBJECTS]
        inner = features.get("feature", features)
        inner = inner[0] if isinstance(inner, list) else inner
        kind = inner.get("category", inner.get("categories"))
        return _good_names(kind.get("feature", kind)["names"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
        return []


def class_names(schema: pa.Schema, column: str) -> list[str]:
    """What the numbers in a column stand for, or nothing if the schema does not say."""
    try:
        features: Any = json.loads((schema.metadata or {})[_METADATA])["info"]["features"]
        names: Any = features[column]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []
    return _good_names(names)


def _good_names(names: Any) -> list[str]:
    good = isinstance(names, list) and all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return names if good else []


def _is_file(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind):
        return False
    names = [kind.field(number).name for number in range(kind.num_fields)]
    return sorted(names) == ["bytes", "path"] and _is_bytes(kind.field("bytes").type)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
