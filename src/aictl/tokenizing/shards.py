"""Packed tokens on disk: documents one after another in files that are mapped, not read.

A folder of them holds ``tokens.json``, and for each split ``SPLIT-NNNNN.tokens``, its documents' ids as
little-endian integers of 2 bytes, or of 4 where the vocabulary has more than 65,536 entries, and
``SPLIT-NNNNN.ends``, as integers of 8 bytes, where each document ends in it. A document is in one shard. No position
is padding (https://arxiv.org/abs/2005.14165, section 2.2), and a corpus larger than memory is no special case.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from aictl.artifacts.tokenizer import read_json
from aictl.core.errors import Damaged, NotFound
from aictl.tokenizing.encoded import Encoded

FACTS = "tokens.json"
SHARD_TOKENS = 2**26  # a shard is closed with the document that brings it to so many
ENDS = np.dtype("<u8")


def token_type(vocabulary: int) -> np.dtype:
    """The integers in which ids below ``vocabulary`` are kept."""
    return np.dtype("<u2" if vocabulary <= 2**16 else "<u4")


class Shard(NamedTuple):
    """One file of tokens, mapped, and where each document ends in it."""

    tokens: np.ndarray
    ends: np.ndarray


class Tokens:
    """The tokens of one split as one long sequence, of which ``tokens[first:last]`` is an array."""

    def __init__(self, shards: Sequence[Shard], kept_as: np.dtype) -> None:
        self.shards = shards
        self._kept_as = kept_as
        self._starts = np.cumsum([0, *(len(shard.tokens) for shard in shards)], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._starts[-1])

    @cached_property
    def documents(self) -> int:
        return sum(len(shard.ends) for shard in self.shards)

    def __getitem__(self, span: slice) -> np.ndarray:
        first, last, step = span.indices(len(self))
        assert step == 1
        pieces = [shard.tokens[low:high] for shard, low, high in self._cut(first, last)]
        if len(pieces) == 1:
            return pieces[0]
        return np.concatenate(pieces) if pieces else np.empty(0, self._kept_as)

    def ends_within(self, first: int, last: int) -> np.ndarray:
        """Where documents end after ``first`` and no later than ``last``, counted from ``first``: what a mask
        needs that keeps documents in one window apart."""
        found: list[np.ndarray] = []
        start = 0
        for shard, low, high in self._cut(first, min(last, len(self))):
            after, until = (int(np.searchsorted(shard.ends, place, side="right")) for place in (low, high))
            found.append(shard.ends[after:until].astype(np.int64) - low + start)
            start += high - low
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def _cut(self, first: int, last: int) -> list[tuple[Shard, int, int]]:
        """The shards that hold a span, and from where to where in each."""
        if first >= last:
            return []
        number = int(np.searchsorted(self._starts, first, side="right")) - 1
        parts = []
        while first < last:
            start, end = int(self._starts[number]), int(self._starts[number + 1])
            parts.append((self.shards[number], first - start, min(last, end) - start))
            first = end
            number += 1
        return parts


def read(folder: Path, split: str) -> Tokens:
    """Map the packed tokens of a split; one that was not packed or has no documents is empty.

    Raises :class:`NotFound` where nothing was packed, and :class:`Damaged` if a shard is not as long as it was.
    """
    if not (folder / FACTS).is_file():
        raise NotFound(f"{folder} holds no packed tokens ({FACTS})")
    facts = read_json(folder / FACTS)
    try:
        kept_as = token_type(facts["vocabulary"])
        promised = facts["splits"].get(split, {"shards": 0, "documents": 0, "tokens": 0})
        found = [open_shard(folder, split, number, kept_as) for number in range(promised["shards"])]
        tokens = Tokens([shard for shard in found if shard], kept_as)
        whole = len(tokens) == promised["tokens"] and tokens.documents == promised["documents"]
    except (KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"{folder / FACTS}: {error!r}") from error
    if not whole or None in found:
        raise Damaged(f"{folder}: the shards of '{split}' are not those of which {FACTS} tells")
    return tokens


def shard_path(folder: Path, split: str, number: int) -> Path:
    return folder / f"{split}-{number:05d}.tokens"


def open_shard(folder: Path, split: str, number: int, kept_as: np.dtype) -> Shard | None:
    """Map one shard; None if it is not there or not whole."""
    path = shard_path(folder, split, number)
    try:
        tokens: np.ndarray = np.memmap(path, dtype=kept_as, mode="r")
        ends: np.ndarray = np.memmap(path.with_suffix(".ends"), dtype=ENDS, mode="r")
    except (OSError, ValueError):  # numpy maps neither what is empty nor what holds part of an integer
        return None
    return Shard(tokens, ends) if int(ends[-1]) == len(tokens) else None


class ShardWriter:
    """Writes the shards of one split, from ``number`` on. A file has its name only when it is whole, and the tokens
    have theirs after the ends, so that a shard whose tokens are there is whole."""

    def __init__(self, folder: Path, split: str, kept_as: np.dtype, shard_tokens: int, number: int = 0) -> None:
        self.shards = number
        self.documents = 0
        self.tokens = 0
        self._folder = folder
        self._split = split
        self._kept_as = kept_as
        self._shard_tokens = shard_tokens
        self._file: IO[bytes] | None = None
        self._ends: list[np.ndarray] = []
        self._size = 0

    def add(self, encoded: Encoded) -> None:
        """Append documents, each of which has a token at least."""
        ids = encoded.ids.astype(self._kept_as)
        start = first = 0
        while first < len(encoded.ends):
            # As many as fill the shard, the one that does so included.
            room = self._shard_tokens - self._size
            last = min(int(np.searchsorted(encoded.ends, start + room)) + 1, len(encoded.ends))
            end = int(encoded.ends[last - 1])
            self._write(ids[start:end], encoded.ends[first:last] - start)
            start, first = end, last

    def _write(self, ids: np.ndarray, ends: np.ndarray) -> None:
        if self._file is None:
            self._file = self._partial(".tokens").open("wb")
        self._file.write(ids.data)
        self._ends.append((ends + self._size).astype(ENDS))
        self._size += len(ids)
        self.documents += len(ends)
        self.tokens += len(ids)
        if self._size >= self._shard_tokens:
            self._finish()

    def _partial(self, suffix: str) -> Path:
        return shard_path(self._folder, self._split, self.shards).with_suffix(f"{suffix}.partial")

    def _finish(self) -> None:
        assert self._file
        with self._partial(".ends").open("wb") as file:
            for ends in self._ends:
                file.write(ends.data)
            _sync(file)
        _sync(self._file)
        self._file.close()
        for suffix in (".ends", ".tokens"):
            self._partial(suffix).replace(shard_path(self._folder, self._split, self.shards).with_suffix(suffix))
        self.shards += 1
        self._file, self._ends, self._size = None, [], 0

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        """Finish the last shard, or leave it unfinished if not all documents came."""
        if self._file is not None and not failed:
            self._finish()
        elif self._file is not None:
            self._file.close()


def _sync(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())
