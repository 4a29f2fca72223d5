"""Texts as token ids in one file that is mapped, and batches of them padded on the right."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from aictl.core.errors import BadInput
from aictl.core.events import Events
from aictl.tokenizing.folder import TokenizerFolder
from aictl.training.batches import FieldBatch, Share
from aictl.training.conversations import SortedPools
from aictl.training.state import disk

ENCODED_AT_ONCE = 1024  # texts


@dataclass(frozen=True)
class Texts:
    """Flat ids, where each text ends in them, and how many texts were cut to the longest that is allowed."""

    ids: np.ndarray
    ends: np.ndarray
    cut: int

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, row: int) -> Any:
        """The ids of one text, uint32."""
        return self.ids[int(self.ends[row - 1]) if row else 0 : int(self.ends[row])]

    def lengths(self) -> np.ndarray:
        return np.diff(self.ends, prepend=0)


class TextReader:
    """Texts to ids with the special tokens that a tokenizer frames them by, cut to ``longest`` tokens."""

    def __init__(self, tokenizer: TokenizerFolder, longest: int) -> None:
        """Raises :class:`BadInput` for a tokenizer without a token to pad with."""
        self.longest = longest
        pad = tokenizer.id("pad_token")
        if pad is None:
            pad = tokenizer.id("eos_token")
        if pad is None:
            raise BadInput(
                f"the tokenizer in {tokenizer.folder} names neither a pad_token nor an eos_token",
                cure="name one of its tokens as pad_token in tokenizer_config.json, or give another tokenizer",
            )
        self.pad_id = pad
        self._library = copy.deepcopy(tokenizer.library)
        self._library.enable_truncation(longest)

    def encode(self, texts: Sequence[str]) -> tuple[list[list[int]], int]:
        """The ids of each text, and how many texts were cut."""
        encoded = self._library.encode_batch(list(texts))
        return [one.ids for one in encoded], sum(bool(one.overflowing) for one in encoded)

    def read(self, path: Path, texts: Iterable[str], task: str, count: int, *, events: Events) -> Texts:
        """All ``count`` texts, encoded into ``path``, or as they were encoded there before. Says how many were cut."""
        if not path.exists():
            self._write(path, texts, task, count=count, events=events)
        arrays = load_file(path)
        found = Texts(arrays["ids"], arrays["ends"], int(arrays["cut"][0]))
        if found.cut:
            events.noted(f"{found.cut} of {len(found)} texts are cut to {self.longest} tokens ({task})", "warning")
        return found

    def _write(self, path: Path, texts: Iterable[str], task: str, *, count: int, events: Events) -> None:
        ids: list[np.ndarray] = []
        cut = 0
        events.started(task, count, "texts")
        remaining = iter(texts)
        while some := list(islice(remaining, ENCODED_AT_ONCE)):
            rows, overlong = self.encode(some)
            ids += [np.asarray(row, dtype=np.uint32) for row in rows]
            cut += overlong
            events.advanced(task, len(ids))
        arrays = {
            "ids": np.concatenate(ids) if ids else np.empty(0, np.uint32),
            "ends": np.cumsum([len(one) for one in ids], dtype=np.int64),
            "cut": np.array([cut]),
        }
        partial = path.with_suffix(".partial")
        with disk(path):
            save_file(arrays, partial)
        partial.replace(path)
        events.finished(task)


def padded(rows: Sequence[np.ndarray], value: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, int64 of shape (rows, the longest of them); what is padding has ``value`` and mask 0. A row of
    nothing keeps one position, since a network cannot look at none."""
    width = max(1, *(len(row) for row in rows))
    ids: np.ndarray = np.full((len(rows), width), value, dtype=np.int64)
    mask: np.ndarray = np.zeros((len(rows), width), dtype=np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
        mask[place, : max(1, len(row))] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


class RowBatches:
    """An endless stream of batches of ``size`` rows of like length, made by ``stack`` from their numbers.

    ``lengths`` are those of the rows, ``names`` what a person calls each.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        size: int,
        seed: int,
        *,
        stack: Callable[[Sequence[int]], FieldBatch],
        name: Callable[[int], str],
    ) -> None:
        self._size = min(size, len(lengths))
        self._order = SortedPools(lengths, self._size, seed)
        self._stack, self._name = stack, name
        self._share = Share()

    def __getitem__(self, position: int) -> FieldBatch:
        return self._stack(self._share.of(self._rows(position)))

    def shared(self, rank: int, ranks: int) -> RowBatches:
        part = copy.copy(self)
        part._share = Share(rank, ranks)
        return part

    def named(self, position: int) -> str:
        return f"documents {', '.join(map(self._name, self._rows(position)))} of the train split"

    def _rows(self, position: int) -> list[int]:
        epoch, place = divmod(position, self._order.count // self._size)
        return self._order.epoch(epoch)[place * self._size : (place + 1) * self._size].tolist()


def by_length(lengths: np.ndarray, rows: np.ndarray, size: int) -> Iterator[list[int]]:
    """``rows`` sorted by length, ``size`` at a time; the last may be fewer."""
    order = rows[np.argsort(lengths[rows], kind="stable")].tolist()
    return (order[start : start + size] for start in range(0, len(order), size))


def text_of(document: Mapping[str, Any]) -> str:
    return str(document["text"])
