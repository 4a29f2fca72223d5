"""Find a text in the documents of a dataset.

Blocks of lines are searched as they are stored, and only what may be a hit is read as JSON and searched again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import islice
from typing import Any, NamedTuple

from aictl.artifacts.dataset import Dataset
from aictl.core.answer import Item, Passage, Records, Table
from aictl.core.events import Events
from aictl.data.looking.find.pattern import MOST_PLACES, Pattern
from aictl.data.looking.shards import (
    Block,
    Record,
    blocks,
    record,
    records,
    require_looked_at,
    require_split,
    size_bytes,
)
from aictl.data.looking.showing import item, labels_of, texts_of
from aictl.data.looking.spec import FindSpec

CONTEXT = 80  # characters that are shown before and after a place, within its line
LONGEST = 600  # characters of an excerpt
EXCERPTS = 3  # of a document that are shown
TASK = "look"


def find(dataset: Dataset, spec: FindSpec, events: Events) -> Records | Table:
    """The documents that hold the text, or how many there are in each split. The exit status is 1 if none does.

    Raises :class:`BadRequest` for a split that is not there or an expression that is none.
    """
    require_looked_at(dataset, "data find")
    if spec.split is not None:
        require_split(dataset, spec.split)
    splits = [spec.split] if spec.split is not None else list(dataset.splits)
    pattern = Pattern(spec.text, regex=spec.regex, ignore_case=spec.ignore_case)
    if spec.count:
        return _counts(dataset, splits, pattern, events)
    return Records(_items(dataset, splits, pattern, spec), whole=True)


def _items(dataset: Dataset, splits: list[str], pattern: Pattern, spec: FindSpec) -> Generator[Item, None, int]:
    count = 0
    for split in splits:
        for path in dataset.shards(split):
            for block in blocks(path):
                for document in hits(block, dataset.format, pattern):
                    yield _whole(document, pattern) if spec.full else _excerpts(document, split, pattern)
                    count += 1
                    if count == spec.documents:
                        return 0
    return 0 if count else 1


def _counts(dataset: Dataset, splits: list[str], pattern: Pattern, events: Events) -> Table:
    events.started(TASK, float(size_bytes(dataset)), "bytes")
    rows = []
    done = 0
    for split in splits:
        count = 0
        for path in dataset.shards(split):
            for block in blocks(path):
                count += sum(1 for _ in hits(block, dataset.format, pattern))
                done += len(block.data)
                events.advanced(TASK, done)
        rows.append([split, count, dataset.splits[split]])
    events.finished(TASK)
    return Table(["split", "documents", "of"], rows, status=0 if any(row[1] for row in rows) else 1)


def hits(block: Block, format: str, pattern: Pattern) -> Iterator[Record]:
    """The documents of a block that hold the pattern. Raises :class:`Damaged`."""
    if pattern.is_told_by_lines:
        documents: Iterator[Record] = (record(line, format, block.path, begin) for line, begin in pattern.lines(block))
    else:
        documents = iter(records(block, format))
    return (one for one in documents if any(map(pattern.is_in, texts_of(one))))


# As a person reads it


def _whole(document: Record, pattern: Pattern) -> Item:
    return item(document, [pattern.places(text) for text in texts_of(document)])


def _excerpts(document: Record, split: str, pattern: Pattern) -> Item:
    shown: list[Passage] = []
    count, more = 0, False
    for text, name in zip(texts_of(document), labels_of(document), strict=True):
        places = pattern.places(text)
        count, more = count + len(places), more or len(places) == MOST_PLACES
        some = islice(excerpts(text, places), EXCERPTS - len(shown))
        shown += [Passage(one.text, name, one.marks) for one in some]
    value: dict[str, Any] = {"source": document["source"], "split": split, "places": count}
    value["excerpts"] = [
        {**({"role": one.label} if one.label else {}), "text": one.text, "marks": list(map(list, one.marks))}
        for one in shown
    ]
    said = "1 place" if count == 1 else f"{count:,} places" + (" or more" if more else "")
    return Item(value, document["source"], f"{split} · {said}", shown)


class Excerpt(NamedTuple):
    """Part of a text, and the places in it that were found."""

    text: str
    marks: tuple[tuple[int, int], ...]


def excerpts(text: str, places: list[tuple[int, int]]) -> Iterator[Excerpt]:
    """What stands around each place, of those in one line together where they are near each other."""
    while places:
        together, places = _neighbours(text, places)
        low, high = together[0][0], together[-1][1]
        begin = max(text.rfind("\n", 0, low) + 1, low - CONTEXT)
        stop = text.find("\n", high)
        end = min(len(text) if stop < 0 else stop, high + CONTEXT, begin + LONGEST)
        before = "…" if begin > 0 and text[begin - 1] != "\n" else ""
        after = "…" if end < len(text) and text[end] != "\n" else ""
        shift = len(before) - begin
        marks = tuple((low + shift, min(high, end) + shift) for low, high in together if low < end or low == high)
        yield Excerpt(before + text[begin:end] + after, marks)


def _neighbours(text: str, places: list[tuple[int, int]]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The first of some places with those near it in the same line, and the others."""
    count = 1
    while count < len(places):
        high, next_low = places[count - 1][1], places[count][0]
        if next_low > high + CONTEXT or "\n" in text[high:next_low]:
            break
        count += 1
    return places[:count], places[count:]
