"""The documents of a dataset as 16 bytes each: a hash of what it says, and one of where it is from."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from aictl.artifacts.dataset import Dataset
from aictl.core.events import Events
from aictl.data.looking.opened import Lines
from aictl.data.looking.shards import Record, blocks, one_by_one, records, require_count, size_bytes


class Fingerprints(NamedTuple):
    """``contents`` and ``sources`` are uint64, one of each document, split after split; ``ends`` are the numbers
    before which the documents of each split end."""

    contents: np.ndarray
    sources: np.ndarray
    splits: Sequence[str]
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.contents)

    def split_numbers(self, numbers: np.ndarray) -> np.ndarray:
        """In which of ``splits`` documents stand."""
        return np.searchsorted(self.ends, numbers, side="right")


def fingerprints(dataset: Dataset, task: str, events: Events) -> Fingerprints:
    """Read all of a dataset. Raises :class:`Damaged` at a line that is no document, or if there are not as many as
    there should be."""
    contents, sources = array("Q"), array("Q")
    ends = []
    done = 0
    events.started(task, float(size_bytes(dataset)) or None, "bytes")
    for split in dataset.splits:
        before = len(contents)
        for path in dataset.shards(split):
            for block in blocks(path):
                for one in records(block, dataset.format):
                    content = _content(one)
                    contents.append(content)
                    sources.append(content if is_placed(one, path, dataset) else hash_of(one["source"].encode()))
                done += len(block.data)
                events.advanced(task, done)
        require_count(dataset, split, len(contents) - before)
        ends.append(len(contents))
    events.finished(task)
    return Fingerprints(
        np.frombuffer(contents, np.uint64), np.frombuffer(sources, np.uint64), list(dataset.splits), np.array(ends, int)
    )


def is_placed(document: Record, path: Path, dataset: Dataset) -> bool:
    """Whether a document's source is only its place in a file, which changes with all that stands before it. What it
    says is then all that it is known by."""
    return isinstance(dataset, Lines) and document["source"].startswith(f"{path.name}#")


def _content(document: Record) -> int:
    """The hash of everything but the source."""
    if len(document) == 2 and "text" in document:
        return hash_of(document["text"].encode())
    rest = {name: value for name, value in document.items() if name != "source"}
    return hash_of(orjson.dumps(rest, option=orjson.OPT_SORT_KEYS))


def hash_of(data: bytes) -> int:
    """64 bits of BLAKE2b."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


def documents_at(dataset: Dataset, of: Fingerprints, numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The documents of these numbers, each with its ``split``. Blocks without any of them are passed over."""
    wanted = sorted(set(numbers))
    found: dict[int, dict[str, Any]] = {}
    base = 0
    for split, end in zip(of.splits, of.ends.tolist(), strict=True):
        inside = [number for number in wanted if base <= number < end]
        for number, one in zip(inside, _numbered(dataset, split, [one - base for one in inside]), strict=True):
            found[number] = one | {"split": split}
        base = end
    return found


def _numbered(dataset: Dataset, split: str, numbers: Sequence[int]) -> Iterator[Record]:
    wanted = iter(numbers)
    next_one = next(wanted, None)
    base = 0
    for path in dataset.shards(split):
        for block in blocks(path):
            if next_one is None:
                return
            after = base + block.data.count(b"\n")
            if next_one >= after and not isinstance(dataset, Lines):  # whose lines need not all be documents
                base = after
                continue
            for one in one_by_one(block, dataset.format):
                if base == next_one:
                    yield one
                    next_one = next(wanted, None)
                base += 1
