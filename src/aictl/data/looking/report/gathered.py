"""What lies beside a dataset's documents: what was dropped and why, with examples; at most as much as a page shows.

Nothing of it is there for certain: a dataset may have been made by something else than ``data prep``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import Damaged
from aictl.data.looking.shards import Record, blocks, record
from aictl.data.looking.showing import labels_of, texts_of
from aictl.data.looking.stats.groups import Groups

CLUSTERS = 12  # of documents that are like each other
MEMBERS = 8  # of a cluster that are named
REJECTED = 25  # documents that could not be read, and are named
SIZES = (2, 3, 5, 9, 17, 33, 65)  # from which clusters are counted together
MOST_BYTES = 64 * 2**20  # of a file of examples


class Member(NamedTuple):
    """A document that was dropped for another, and how similar the two are."""

    source: str
    similarity: float


class Cluster(NamedTuple):
    """A document that was kept, how many were dropped for it, the first of them, and what it says (if found)."""

    kept: str
    dropped: int
    members: Sequence[Member]
    text: str | None


class Duplicates(NamedTuple):
    """Clusters by their size, and the largest."""

    dropped: int
    sizes: Sequence[tuple[str, int]]
    largest: Sequence[Cluster]


def examples(dataset: Dataset) -> dict[str, list[dict[str, str]]]:
    """Documents that each step dropped or changed, as ``data prep`` keeps them: ``{"source", "reason", "text"}``, and
    ``became``. Raises :class:`Damaged` for a file that is none of these."""
    path = dataset.folder / "examples.json"
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"has more than {MOST_BYTES:,} bytes")
        found = json.loads(path.read_text("utf-8"))
        return {
            str(step): [{str(key): str(value) for key, value in one.items()} for one in rows]
            for step, rows in found.items()
        }
    except (ValueError, AttributeError, TypeError) as error:
        raise Damaged(f"{path}: {error}") from None


def rejected(dataset: Dataset) -> list[dict[str, str]]:
    """The first documents that could not be read, with the reason."""
    rows = islice(_rows(dataset.folder / "rejected.jsonl"), REJECTED)
    return [{"source": str(row.get("source")), "reason": str(row.get("reason"))} for row in rows]


def duplicates(dataset: Dataset) -> Duplicates | None:
    """What ``duplicates.jsonl`` tells; None if there is none. It is read twice, whatever its length."""
    path = dataset.folder / "duplicates.jsonl"
    if not path.is_file():
        return None
    clusters = Groups()
    for row in _rows(path):
        clusters.add(str(row.get("kept")), 1, 1)
    largest = clusters.largest(CLUSTERS)
    members: dict[str, list[Member]] = {name: [] for name, *_ in largest}
    for row in _rows(path):
        rows = members.get(str(row.get("kept")))
        if rows is not None and len(rows) < MEMBERS:
            rows.append(Member(str(row.get("source")), float(row.get("similarity") or 0)))
    texts = texts_from(dataset, list(members))
    shown = [Cluster(name, count, members[name], texts.get(name)) for name, count, _ in largest]
    return Duplicates(
        sum(clusters.counts.values()) + clusters.other_count,
        _sizes([count + 1 for count in clusters.counts.values()]),
        shown,
    )


def texts_from(dataset: Dataset, sources: Sequence[str]) -> dict[str, str]:
    """The text of the first document of each of some sources, which are looked for in the lines as they are stored."""
    wanted = {orjson.dumps(source): source for source in sources}
    found: dict[str, str] = {}
    for split in dataset.splits:
        for path in dataset.shards(split):
            for block in blocks(path):
                for needle in [one for one in wanted if one in block.data]:
                    for one in _lines_with(needle, block.data, dataset.format, path):
                        if one["source"] == wanted[needle]:
                            found[wanted.pop(needle)] = "\n\n".join(_said(one))
                            break
                if not wanted:
                    return found
    return found


def _lines_with(needle: bytes, data: bytes, format: str, path: Path) -> Iterator[Record]:
    place = data.find(needle)
    while place >= 0:
        begin, end = data.rfind(b"\n", 0, place) + 1, data.index(b"\n", place)
        yield record(data[begin:end], format, path, 0)
        place = data.find(needle, end)


def _said(document: Record) -> list[str]:
    return [
        f"{name}: {text}" if name else text for name, text in zip(labels_of(document), texts_of(document), strict=True)
    ]


def _sizes(counts: Sequence[int]) -> list[tuple[str, int]]:
    """How many clusters there are of so many documents each."""
    found: Counter[str] = Counter()
    for low, below in zip(SIZES, [*SIZES[1:], None], strict=True):
        name = f"{low} and more" if below is None else f"{low}" if below == low + 1 else f"{low} – {below - 1}"
        found[f"{name} documents"] = sum(low <= count and (below is None or count < below) for count in counts)
    return [(name, count) for name, count in found.items() if count]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise Damaged(f"{path}, line {number}: {error.msg}") from None
            if not isinstance(row, dict):
                raise Damaged(f"{path}, line {number}: no JSON object")
            yield row
