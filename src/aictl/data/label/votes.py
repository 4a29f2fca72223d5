"""The votes of all functions on all documents: one small number each, in a file beside the run.

Rows are added batch by batch, and a killed run goes on after the last whole batch.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

NPY = "votes.npy"
_BLOCK_ROWS = 2**16


def number_type(labels: int) -> np.dtype:
    """The smallest type that holds the numbers of so many labels, and -1."""
    return np.dtype(np.int8 if labels <= 127 else np.int16)


class VoteTable:
    """Votes on disk, of shape (documents, functions), -1 where a function has nothing to say."""

    def __init__(self, folder: Path, functions: int, labels: int) -> None:
        """Opens what an earlier run left in ``folder``, or begins anew."""
        self._functions = functions
        self._type = number_type(labels)
        self._path = folder / "votes.rows"
        self._progress = folder / "votes.json"
        self.rows = 0
        self.facts: dict[str, Counter[str]] = {}
        if self._progress.exists() and self._path.exists():
            said = json.loads(self._progress.read_text("utf-8"))
            self.rows = said["rows"]
            self.facts = {name: Counter(counts) for name, counts in said["facts"].items()}
        with self._path.open("ab") as file:
            file.truncate(self.rows * functions * self._type.itemsize)

    def append(self, votes: np.ndarray, facts: Mapping[str, Mapping[str, int]]) -> None:
        """Add a batch, and what its functions tell of it; afterwards a kill no longer loses it."""
        with self._path.open("ab") as file:
            file.write(np.ascontiguousarray(votes, self._type).tobytes())
        self.rows += len(votes)
        for name, counts in facts.items():
            self.facts.setdefault(name, Counter()).update(counts)
        draft = self._progress.with_suffix(".new")
        draft.write_text(json.dumps({"rows": self.rows, "facts": self.facts}), "utf-8")
        os.replace(draft, self._progress)  # noqa: PTH105

    def read(self) -> np.ndarray:
        """All votes, mapped from the file."""
        if not self.rows:
            return np.zeros((0, self._functions), self._type)
        return np.memmap(self._path, self._type, "r", shape=(self.rows, self._functions))


def save(votes: np.ndarray, folder: Path) -> None:
    """Write votes as a ``.npy`` file, block by block."""
    target = np.lib.format.open_memmap(folder / NPY, "w+", votes.dtype, votes.shape)
    for start in range(0, len(votes), _BLOCK_ROWS):
        target[start : start + _BLOCK_ROWS] = votes[start : start + _BLOCK_ROWS]
    target.flush()


class Patterns(NamedTuple):
    """The different ways in which all functions together voted: few, however many the documents.

    ``votes`` int (patterns, functions); ``known`` the label that people gave, or -1, int (patterns,);
    ``counts`` documents of each, float64; ``of`` the pattern of every document, int32 (documents,).
    """

    votes: np.ndarray
    known: np.ndarray
    counts: np.ndarray
    of: np.ndarray

    @property
    def covered(self) -> np.ndarray:
        """Patterns in which a function votes, bool (patterns,)."""
        return np.any(self.votes >= 0, axis=1)

    @property
    def in_conflict(self) -> np.ndarray:
        """Patterns in which two functions vote for different labels, bool (patterns,)."""
        highest = self.votes.max(axis=1)
        lowest = np.where(self.votes >= 0, self.votes, np.iinfo(self.votes.dtype).max).min(axis=1)
        return (highest >= 0) & (lowest < highest)


def patterns(votes: np.ndarray, known: np.ndarray) -> Patterns:
    """Find the patterns among votes (documents, functions) and known labels (documents,), block by
    block. Their order depends on what they are, and not on that of the documents."""
    places: dict[bytes, int] = {}
    counts: list[int] = []
    of: np.ndarray = np.empty(len(votes), np.int32)
    width = votes.shape[1] + 1
    kind = votes.dtype
    for start in range(0, len(votes), _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, len(votes))
        block = np.concatenate([votes[start:stop], known[start:stop, None].astype(kind)], axis=1)
        found, inverse, number = np.unique(block, axis=0, return_inverse=True, return_counts=True)
        mapped: np.ndarray = np.empty(len(found), np.int32)
        for row, (one, many) in enumerate(zip(found, number, strict=True)):
            place = places.setdefault(one.tobytes(), len(counts))
            if place == len(counts):
                counts.append(0)
            counts[place] += int(many)
            mapped[row] = place
        of[start:stop] = mapped[inverse.reshape(-1)]
    table = np.frombuffer(b"".join(places), kind).reshape(-1, width)
    order = np.lexsort(table.T[::-1]) if len(table) else np.zeros(0, np.int64)
    back: np.ndarray = np.empty(len(order), np.int32)
    back[order] = np.arange(len(order), dtype=np.int32)
    table = table[order]
    return Patterns(table[:, :-1], table[:, -1], np.array(counts, np.float64)[order], back[of] if len(back) else of)
