"""Parquet: a row is a document, of a column of text or of the columns of a conversation, a pair or a preference.

This is run apart, see :mod:`aictl.data.readers.apart`. Few rows are held at a time. A row group that is damaged is
told and gone past; the others stand for themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from aictl.data import pairs, preferences
from aictl.data.conversations import FIELDS
from aictl.data.decode import MAX_RATIO, SMALL_BYTES, broken, whole_bytes
from aictl.data.documents import Document, InputFile, Items, Part, Reading, Rejected, Unreadable
from aictl.data.readers.parquet_columns import class_names, image_column, label_column
from aictl.data.readers.records import (
    MAX_FIELD_BYTES,
    Convert,
    as_chat,
    as_pair,
    as_preference,
    as_text,
    labelled,
    no_field,
)

# A page that is packed well, or a dictionary of one value, can stand for very much more than the file's size: rows
# are taken so many at a time that they hold this much if each were the whole of its column in the row group. Sixteen
# at once are read as fast as a thousand.
BATCH_BYTES = 128 * 2**20
BATCH_ROWS = 16
MAX_VALUES = 2**27  # of a column in a row group: nothing but repeated nulls makes more of a small file
_REJECTED_BYTES = 100  # what telling of one takes
_BUFFER_BYTES = 2**20
_THRIFT_BYTES = 64 * 2**20  # of a string or a list in the footer
_BROKEN = (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError)


class _Group(NamedTuple):
    """A row group: where its columns begin if all are put end to end, and the number of its first row."""

    number: int
    begin: int
    row: int
    rows: int


def parts(file: InputFile, part_bytes: int) -> Iterator[Part]:
    """The parts of whole row groups of a file, each of some ``part_bytes`` if the row groups are smaller. Raises
    :class:`Unreadable`."""
    with opened(file) as parquet:
        groups = _groups(parquet.metadata)
    begin = groups[0] if groups else None
    for group in groups:
        if begin and group.begin - begin.begin >= part_bytes:
            yield Part(begin.begin, group.begin, begin.row)
            begin = group
    if begin:
        yield Part(begin.begin, max(file.size_bytes, groups[-1].begin + 1), begin.row)


def read_texts(file: InputFile, reading: Reading) -> Items:
    """Yield the text column of each row. Raises :class:`Unreadable` if there is no such column."""
    with opened(file) as parquet:
        names = parquet.schema_arrow.names
        if reading.text_field not in names:
            raise Unreadable(*no_field(names, reading))
        if names.count(reading.text_field) > 1:
            raise Unreadable("broken Parquet", f"there are several columns '{reading.text_field}'")
        columns = [reading.text_field, *({reading.url_field} & set(names))]
        convert: Convert = as_text
        if reading.label_field is not None:
            label = label_column(parquet.schema_arrow, reading)
            if label is None:
                raise Unreadable(*no_field(names, reading, "label"))
            columns.append(label)
            convert = _with_label(label, class_names(parquet.schema_arrow, label))
        rows = records(parquet, file, list(dict.fromkeys(columns)))
        yield from bounded(
            (row if isinstance(row, Rejected) else convert(row, source, reading) for source, row in rows), file
        )


def _with_label(column: str, names: list[str]) -> Convert:
    """A conversion of rows to texts that have the label of a column."""

    def convert(row: Any, source: str, reading: Reading) -> Document | Rejected:
        document = as_text(row, source, reading._replace(label_field=None))
        if isinstance(document, Rejected):
            return document
        return labelled(document, row, reading._replace(label_field=column), names)

    return convert


def read_chats(file: InputFile, reading: Reading) -> Items:
    """Yield the conversation of each row. Raises :class:`Unreadable` if no columns are known to hold one."""
    with opened(file) as parquet:
        names = parquet.schema_arrow.names
        wanted = [name for name in FIELDS if name in names]
        if not _holds_chats(parquet.schema_arrow):
            found = ", ".join(sorted(names)[:8]) or "no columns"
            raise Unreadable("not a conversation", f"found {found}; known are {', '.join(FIELDS)}")
        yield from _converted(parquet, file, reading, wanted, as_chat)


def read_pairs(file: InputFile, reading: Reading) -> Items:
    """Yield the pair of each row. Raises :class:`Unreadable` if no columns are known to hold both sides."""
    with opened(file) as parquet:
        schema = parquet.schema_arrow
        names = schema.names
        fields = pairs.fields_of(dict.fromkeys(names), reading.pair_shape)
        nested = schema.field(pairs.NESTED).type if names.count(pairs.NESTED) == 1 else None
        if fields is None and nested is not None and pa.types.is_struct(nested):
            inside = [nested.field(number).name for number in range(nested.num_fields)]
            if pairs.fields_of(dict.fromkeys(inside), reading.pair_shape):
                fields = (pairs.NESTED, pairs.NESTED)
            else:
                raise Unreadable("no pair", pairs.unfit(inside, reading.pair_shape))
        if fields is None or any(names.count(name) != 1 for name in fields):
            raise Unreadable("no pair", pairs.unfit(names, reading.pair_shape))
        wanted = list(dict.fromkeys([*fields, *({reading.url_field} & set(names))]))
        yield from _converted(parquet, file, reading, wanted, as_pair)


def read_preferences(file: InputFile, reading: Reading) -> Items:
    """Yield the preference of each row. Raises :class:`Unreadable` if no columns are known to hold one."""
    with opened(file) as parquet:
        names = parquet.schema_arrow.names
        wanted = [name for name in preferences.FIELDS if names.count(name) == 1]
        if not preferences.is_preference(dict.fromkeys(wanted, "")):
            found = ", ".join(sorted(names)[:8]) or "no columns"
            raise Unreadable("no preference", f"found {found}; known are {', '.join(preferences.FIELDS)}")
        yield from _converted(parquet, file, reading, wanted, as_preference)


def _converted(
    parquet: pq.ParquetFile, file: InputFile, reading: Reading, columns: list[str], convert: Convert
) -> Items:
    rows = records(parquet, file, columns)
    yield from bounded(
        (row if isinstance(row, Rejected) else convert(_given(row), source, reading) for source, row in rows), file
    )


def format_of(file: InputFile, reading: Reading) -> Iterator[Literal["text", "chat", "image"] | None]:
    """What the columns are: those of conversations, or that of text, or of pictures, or none of them. Raises
    :class:`Unreadable`."""
    with opened(file) as parquet:
        schema = parquet.schema_arrow
    if _holds_chats(schema):
        yield "chat"
    elif reading.text_field in schema.names:
        yield "text"
    else:
        yield "image" if image_column(schema, reading) else None


def classes(file: InputFile, reading: Reading) -> Iterator[str]:
    """The names of all labels of texts in the order of their numbers, if the schema says them. Raises
    :class:`Unreadable`."""
    with opened(file) as parquet:
        schema = parquet.schema_arrow
        label = label_column(schema, reading) if reading.label_field is not None else None
        yield from class_names(schema, label) if label else ()


def _holds_chats(schema: pa.Schema) -> bool:
    for name in ("messages", "conversations"):
        if name in schema.names:
            kind = schema.field(schema.get_field_index(name)).type if schema.names.count(name) == 1 else None
            return kind is not None and _is_list(kind) and pa.types.is_struct(kind.value_type)
    return {"instruction", "output"} <= set(schema.names) or (
        "prompt" in schema.names and not {"completion", "response", "chosen"}.isdisjoint(schema.names)
    )


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def opened(file: InputFile) -> pq.ParquetFile:
    """Raises :class:`Unreadable`."""
    if file.lost:
        raise Unreadable("cannot be read", file.lost)
    source: Any = pa.BufferReader(whole_bytes(file)) if file.compression else file.path
    try:
        return pq.ParquetFile(
            source,
            buffer_size=_BUFFER_BYTES,
            pre_buffer=False,
            page_checksum_verification=True,  # of pages that have one
            thrift_string_size_limit=_THRIFT_BYTES,
            thrift_container_size_limit=_THRIFT_BYTES // 8,
        )
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno:
            raise broken(error) from error
        raise Unreadable("broken Parquet", _said(error)) from error


def _groups(metadata: pq.FileMetaData) -> list[_Group]:
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    begins = accumulate((max(1, _packed_bytes(group)) for group in groups), initial=0)
    rows = accumulate((max(0, group.num_rows) for group in groups), initial=1)
    return [
        _Group(number, begin, row, max(0, group.num_rows))
        for number, (group, begin, row) in enumerate(zip(groups, begins, rows, strict=False))
    ]


def _packed_bytes(group: pq.RowGroupMetaData) -> int:
    return sum(group.column(number).total_compressed_size for number in range(group.num_columns))


def bounded(items: Items, file: InputFile) -> Items:
    """Items until they are far more than the size of the file lets one expect. Raises :class:`Unreadable` then."""
    held = 0
    for item in items:
        held += item.characters if isinstance(item, Document) else _REJECTED_BYTES
        if held > max(SMALL_BYTES, MAX_RATIO * file.size_bytes):
            raise Unreadable("unpacks to too much", f"{file.size_bytes:,} bytes to more than {held:,}")
        yield item


def records(
    parquet: pq.ParquetFile, file: InputFile, columns: list[str], *, text: bool = True
) -> Iterator[tuple[str, dict[str, Any] | Rejected]]:
    """Every row of the file's part: its source and the values of ``columns``, bytes as text if they are meant to be."""
    for group in _groups(parquet.metadata):
        if file.part and not file.part.begin <= group.begin < file.part.end:
            continue
        done = 0
        try:
            rows = _rows_at_once(parquet.metadata.row_group(group.number), columns, file)
            for batch in parquet.iter_batches(rows, row_groups=[group.number], columns=columns, use_threads=False):
                for record in _values(batch, text):
                    source = f"{file.name}:{group.row + done}"
                    done += 1
                    yield source, record if isinstance(record, dict) else Rejected(source, *record)
            if done < group.rows:
                raise ValueError("they are not there")
        except _BROKEN as error:
            source = f"{file.name}:{group.row + done}"
            lost = f"rows {group.row + done:,} to {group.row + group.rows - 1:,} are lost: {_said(error)}"
            yield source, Rejected(source, "damaged", lost)


def _rows_at_once(group: pq.RowGroupMetaData, columns: list[str], file: InputFile) -> int:
    """Raises :class:`Unreadable` for a row group that says itself that it is a bomb."""
    largest = 1
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema.partition(".")[0] not in columns:
            continue
        size_bytes = column.total_uncompressed_size
        if size_bytes > max(SMALL_BYTES, MAX_RATIO * file.size_bytes):
            raise Unreadable("unpacks to too much", f"{file.size_bytes:,} bytes to {size_bytes:,}")
        if column.num_values > max(MAX_VALUES, MAX_RATIO * file.size_bytes):
            raise Unreadable("unpacks to too much", f"{file.size_bytes:,} bytes to {column.num_values:,} values")
        largest = max(largest, size_bytes)
    return max(1, min(BATCH_ROWS, BATCH_BYTES // largest))


def _values(batch: pa.RecordBatch, text: bool) -> Iterator[dict[str, Any] | tuple[str, str]]:
    """Each row as a dict, or the reason and the detail why it is none."""
    if batch.nbytes > MAX_FIELD_BYTES and len(batch) == 1:
        yield "field too long", f"more than {MAX_FIELD_BYTES // 2**20} MiB"
        return
    try:
        yield from [_decoded(record) if text else record for record in batch.to_pylist()]
    except UnicodeDecodeError as error:  # one of them; Arrow hands on what it finds
        if len(batch) > 1:
            for row in range(len(batch)):
                yield from _values(batch.slice(row, 1), text)
        else:
            yield "not UTF-8", f"byte 0x{error.object[error.start]:02x}: {error.reason}"


def _decoded(record: dict[str, Any]) -> dict[str, Any] | tuple[str, str]:
    """A row with text for bytes, which is how some write it: the type does not say more."""
    for name, value in record.items():
        if isinstance(value, bytes):
            try:
                record[name] = value.decode()
            except UnicodeDecodeError:
                return "not UTF-8", f"'{name}' is of bytes that are no text"
    return record


def _given(record: dict[str, Any]) -> dict[str, Any]:
    """A row without what is null: to a table, every turn has all fields that any turn has."""
    return {
        name: _turns(value) if isinstance(value, list) else value for name, value in record.items() if value is not None
    }


def _turns(turns: list[Any]) -> list[Any]:
    return [
        {name: value for name, value in turn.items() if value is not None} if isinstance(turn, dict) else turn
        for turn in turns
    ]


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
