"""The documents worth a person's minute, as a file to fill in."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput, BadRequest, MachineLacks, NotFound
from aictl.core.events import Events
from aictl.data.label.report import read_report
from aictl.data.label.reviewed import labels_entered
from aictl.data.label.spec import LabelSpec
from aictl.data.label.texts import batches, id_of
from aictl.data.label.votes import NPY

COLUMNS = ("id", "label", "annotator", "suggested", "confidence", "votes", "source", "text")
SUFFIXES = (".csv", ".jsonl")
# At the head of a cell a spreadsheet takes these for a formula (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CELL_CHARS = 32_000  # a spreadsheet's cell holds 32,767


def check_target(path: Path) -> None:
    """Raise :class:`BadRequest` or :class:`NotFound` for a file that should not be written: one of
    another kind, in a folder that is not there, or with people's work in it."""
    if path.suffix.lower() not in SUFFIXES:
        raise BadRequest(f"--review-out {path}: should end in {' or '.join(SUFFIXES)}", cure="review.csv, say")
    if not path.parent.is_dir():
        raise NotFound(f"--review-out {path}: there is no folder {path.parent}", cure=f"mkdir -p {path.parent}")
    if os.path.lexists(path):
        try:
            entered = labels_entered(path) if path.is_file() else None
        except BadInput:
            entered = None
        if entered is None:
            raise BadRequest(f"--review-out {path}: is there, and is no review", cure="name another file")
        if entered:
            raise BadRequest(
                f"--review-out {path}: is there, with {entered} labels that people entered",
                cure=f"give it with --reviewed {path}, and name another file",
            )


def write(dataset: Dataset, spec: LabelSpec, events: Events) -> None:
    """Write the review file of a labelled dataset, if one is asked for. An empty one of before is replaced."""
    if spec.review_out is None:
        return
    path = spec.review_out
    check_target(path)
    report = read_report(dataset)
    rows = list(_rows(dataset, report, chosen(dataset, report, spec.review_count)))
    draft = path.with_name(f".{path.name}.new")
    try:
        with draft.open("w", encoding="utf-8-sig" if path.suffix.lower() == ".csv" else "utf-8", newline="") as file:
            if path.suffix.lower() == ".csv":
                sheet = csv.writer(file)
                sheet.writerow(COLUMNS)
                sheet.writerows([_cell(row[name]) for name in COLUMNS] for row in rows)
            else:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        os.replace(draft, path)  # noqa: PTH105
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise MachineLacks(f"--review-out {path} cannot be written: {error.strerror}") from error
    events.noted(f"{path}: {len(rows):,} documents to review; fill in 'label', and give it back with --reviewed")


def chosen(dataset: Dataset, report: Mapping[str, Any], count: int) -> np.ndarray:
    """The numbers of at most ``count`` documents, the most useful first, int64.

    First those on which people are undecided, then those on which functions disagree, then those that no
    function covers, then the rest; within each the least certain first. Documents that got the same votes
    are taken in turn with others, so that one quarrel does not fill the page.
    """
    votes = np.load(dataset.folder / NPY, mmap_mode="r", allow_pickle=False)
    confidence, settled = _of_documents(dataset, len(votes))
    undecided = {number for number in report["review"]["undecided_documents"]}
    open_ones = np.flatnonzero(~settled)
    table = np.asarray(votes[open_ones])
    highest = table.max(axis=1)
    lowest = np.where(table >= 0, table, np.iinfo(table.dtype).max).min(axis=1)
    group = np.where(highest < 0, 2, np.where(lowest < highest, 1, 3))
    group[[place for place, number in enumerate(open_ones) if number in undecided]] = 0
    _, pattern = np.unique(table, axis=0, return_inverse=True)
    spread: np.ndarray = (
        open_ones * 2654435761
    ) % 2**32  # Knuth's multiplicative hash: any of a pattern, not its first
    order = np.lexsort((spread, pattern.reshape(-1)))
    turn: np.ndarray = np.empty(len(open_ones), np.int64)
    turn[order] = _places_in_runs(pattern.reshape(-1)[order])
    best = np.lexsort((spread, confidence[open_ones], turn, group))
    return open_ones[best[:count]]


def _places_in_runs(values: np.ndarray) -> np.ndarray:
    """For each of some sorted values how many equal ones stand before it."""
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]]) if len(values) else np.zeros(0, np.int64)
    return np.arange(len(values)) - np.repeat(starts, np.diff(np.r_[starts, len(values)]))


def _of_documents(dataset: Dataset, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The confidence of every document's label, and whether people settled it."""
    confidence: np.ndarray = np.zeros(count)
    settled: np.ndarray = np.zeros(count, bool)
    for batch in batches(dataset):
        for number, document in enumerate(batch.documents, batch.start):
            confidence[number] = document.get("confidence") or 0
            settled[number] = bool(document.get("reviewed"))
    return confidence, settled


def _rows(dataset: Dataset, report: Mapping[str, Any], numbers: np.ndarray) -> Iterator[dict[str, Any]]:
    """The rows of the chosen documents, in the order in which they were chosen."""
    votes = np.load(dataset.folder / NPY, mmap_mode="r", allow_pickle=False)
    labels = [one["name"] for one in report["labels"]]
    names = [one["name"] for one in report["functions"]]
    wanted = {int(number): place for place, number in enumerate(numbers)}
    found: list[dict[str, Any] | None] = [None] * len(wanted)
    for batch in batches(dataset, report["roles"]):
        for number, (document, text) in enumerate(zip(batch.documents, batch.texts, strict=True), batch.start):
            if number in wanted:
                said = {name: labels[vote] for name, vote in zip(names, votes[number], strict=True) if vote >= 0}
                found[wanted[number]] = {
                    "id": id_of(document),
                    "label": "",
                    "annotator": "",
                    "suggested": document.get("label") or "",
                    "confidence": document.get("confidence") or 0,
                    "votes": said,
                    "source": document.get("source", ""),
                    "text": text,
                }
    yield from (row for row in found if row is not None)


def _cell(value: Any) -> str:
    """One value for a spreadsheet: never a formula, and never longer than a cell."""
    if isinstance(value, Mapping):
        value = "; ".join(f"{name}: {said}" for name, said in value.items())
    text = str(value).replace("\0", "")[:_CELL_CHARS]
    return f"'{text}" if text.startswith(_FORMULA) else text
