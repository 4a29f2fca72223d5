"""A model goes through the documents; what it came to is kept, so that a killed run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TypeVar

from aictl.core.events import Events
from aictl.judging.documents import Draw
from aictl.judging.task import Row, Task

T = TypeVar("T")


def rows_of(task: Task, number: int, drawn: Draw, *, called: str, path: Path, events: Events) -> list[Row]:
    """A row for each document that was drawn, those of ``path`` as they lie there and the others appended to it."""
    rows = _kept(path)
    title = f"evaluate {called}"
    if rows and len(rows) < len(drawn):
        events.noted(f"{len(rows):,} documents were done before: going on from there")
    if len(rows) < len(drawn):
        events.started(f"load {called}")
        with closing(task.open(number)) as judge, path.open("ab") as file:
            events.finished(f"load {called}")
            events.started(title, total=len(drawn), unit="documents")
            events.advanced(title, len(rows))
            left = islice(drawn.documents(), len(rows), None)
            for batch in _batches(left, task.batch):
                found = judge.judge(batch)
                for one, row in zip(batch, found, strict=True):
                    rows.append({"number": one.number, "source": one.document.get("source"), **row})
                    file.write(json.dumps(rows[-1], ensure_ascii=True).encode() + b"\n")
                file.flush()
                events.advanced(title, len(rows))
            events.finished(title)
            if judge.truncated:
                events.noted(f"{judge.truncated:,} texts are longer than {called} takes, and were cut", "warning")
    return task.finished(rows)


def _kept(path: Path) -> list[Row]:
    """What an earlier run left; a last line that was torn is cut off."""
    if not path.exists():
        return []
    whole = path.read_bytes()
    end = whole.rfind(b"\n") + 1
    if end < len(whole):
        with path.open("r+b") as file:
            file.truncate(end)
    return [json.loads(line) for line in whole[:end].splitlines()]


def _batches(items: Iterator[T], size: int) -> Iterator[Sequence[T]]:
    while batch := list(islice(items, size)):
        yield batch
