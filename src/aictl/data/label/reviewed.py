"""Reviewed files back: what people said of which documents, from one or several annotators.

A file is CSV (with commas, semicolons or tabs) or JSONL, with ``id`` and ``label`` and, where several people
share a file, ``annotator``; further columns are passed over, and so are rows without a label. Rows without
an annotator belong to one who is called as the file is.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aictl.core.artifact import Source
from aictl.core.errors import BadInput
from aictl.data.decode import whole_text
from aictl.data.documents import InputFile, Unreadable
from aictl.data.label.declaration import nearest

NAMED_PROBLEMS = 10
MAX_CELL_CHARS = 2**24
_COLUMNS = ("id", "label")


class Row(NamedTuple):
    """One label by one annotator, and where it stands."""

    id: str
    label: str
    annotator: str
    place: str


class Reviews(NamedTuple):
    """What people said: ``{document's id: {annotator: label}}``."""

    said: Mapping[str, Mapping[str, str]]
    repeated: int

    @property
    def settled(self) -> dict[str, tuple[str, float]]:
        """The label of each document that more than half of its annotators gave, and their share."""
        found = {}
        for id, labels in self.said.items():
            label, count = Counter(labels.values()).most_common(1)[0]
            if 2 * count > len(labels):
                found[id] = label, count / len(labels)
        return found

    @property
    def annotators(self) -> dict[str, int]:
        """How many documents each annotator labelled."""
        return dict(sorted(Counter(one for labels in self.said.values() for one in labels).items()))


def read(files: Sequence[Source], labels: Sequence[str]) -> Reviews:
    """Read what came back. Raises :class:`BadInput` naming every row that cannot be used."""
    problems: list[str] = []
    first: dict[tuple[str, str], Row] = {}
    owners: dict[str, Path] = {}
    repeated = 0
    for source in files:
        for row in _rows(source.path, problems, owners):
            if row.label not in labels:
                problems.append(f"{row.place}: no label is called '{row.label}'{nearest(row.label, labels)}")
                continue
            earlier = first.setdefault((row.id, row.annotator), row)
            if earlier is not row:
                repeated += 1
                if earlier.label != row.label:
                    problems.append(
                        f"{row.place}: {row.annotator} says {row.label} of {row.id}, and {earlier.label} in "
                        f"{earlier.place}"
                    )
    if problems:
        more = f"\n  and {len(problems) - NAMED_PROBLEMS} more" if len(problems) > NAMED_PROBLEMS else ""
        named = "\n  ".join(problems[:NAMED_PROBLEMS])
        raise BadInput(named if len(problems) == 1 else f"reviewed files:\n  {named}{more}", cure="mend these rows")
    said: dict[str, dict[str, str]] = {}
    for row in first.values():
        said.setdefault(row.id, {})[row.annotator] = row.label
    return Reviews(said, repeated)


def labels_entered(path: Path) -> int:
    """How many rows of a review file have a label: what would be lost with it.

    Raises :class:`BadInput` for a file that is no review.
    """
    return sum(1 for _, row in _records(path) if _cell(row, "label"))


def _rows(path: Path, problems: list[str], owners: dict[str, Path]) -> Iterator[Row]:
    """The labels of one file. One person's file need not say whose it is; a shared one must, in every row."""
    labelled = [(line, row) for line, row in _records(path) if _cell(row, "label")]
    shared = any(_cell(row, "annotator") for _, row in labelled)
    if labelled and not shared and owners.setdefault(path.stem, path) != path:
        problems.append(f"{path}: names no annotator, and {owners[path.stem]} has the same name: rename one of them")
        return
    for line, row in labelled:
        place = f"{path}, line {line}"
        id, annotator = _cell(row, "id"), _cell(row, "annotator") or ("" if shared else path.stem)
        if not id:
            problems.append(f"{place}: has a label and no id")
        elif not annotator:
            problems.append(f"{place}: names no annotator, and other rows do")
        else:
            yield Row(id, _cell(row, "label"), annotator, place)


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value).strip()


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """``(line, fields)`` of every row. Raises :class:`BadInput` for a file that cannot be read as one."""
    if path.is_dir():
        raise BadInput(f"{path} is a folder", cure="give the .csv or .jsonl files in it")
    try:
        text = whole_text(InputFile(str(path), path, path.stat().st_size, named=True))
    except Unreadable as error:
        raise BadInput(f"{error.rejected(InputFile(str(path), path, 0))}") from error
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        yield from _json_rows(path, text)
    else:
        yield from _csv_rows(path, text)


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path}, line {number}: {error}", cure="one JSON object a line") from error
        if not isinstance(row, dict):
            raise BadInput(f"{path}, line {number}: is no JSON object", cure="one JSON object a line")
        yield number, row


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    head = text.partition("\n")[0]
    delimiter = next((one for one in ",;\t" if set(_COLUMNS) <= set(_names(head, one))), None)
    if delimiter is None:
        raise BadInput(
            f"{path}: its first line names no columns 'id' and 'label'", cure="keep the heading that --review-out wrote"
        )
    csv.field_size_limit(MAX_CELL_CHARS)
    reader = csv.DictReader(io.StringIO(text, newline=""), _names(head, delimiter), delimiter=delimiter, strict=True)
    before = 1
    try:
        for number, row in enumerate(reader):
            if number:
                yield before, row
            before = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"{path}, line {before}: {error}", cure="is a quotation mark missing?") from error


def _names(head: str, delimiter: str) -> list[str]:
    return [name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter), [])]
