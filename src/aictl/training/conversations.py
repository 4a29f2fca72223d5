"""Encoded conversations in one file that is mapped, and batches of them padded on the right.

Conversations of like length share a batch, so that little of it is padding; which ones, and in
which order the batches come, is new in every epoch.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from aictl.training.batches import IGNORED, Order, Share, TokenBatch
from aictl.training.dialogue import Dialogue
from aictl.training.state import disk

POOL_BATCHES = 32  # so many batches' worth of random conversations are sorted by length together


class Conversations:
    """Flat arrays of ids and marks, and where each conversation ends in them."""

    def __init__(self, ids: np.ndarray, learnt: np.ndarray, ends: np.ndarray) -> None:
        self.ids, self.learnt, self.ends = ids, learnt, ends

    def __len__(self) -> int:
        return len(self.ends)

    def lengths(self) -> np.ndarray:
        return np.diff(self.ends, prepend=0)

    def batch(self, rows: Sequence[int]) -> TokenBatch:
        """The conversations of ``rows``, each token beside the one that follows it."""
        spans = [(int(self.ends[row - 1]) if row else 0, int(self.ends[row])) for row in rows]
        width = max(last - first for first, last in spans) - 1
        # What stands at a padded position is never looked at: it comes after every real one.
        inputs: np.ndarray = np.zeros((len(rows), width), dtype=np.int64)
        targets: np.ndarray = np.full((len(rows), width), IGNORED, dtype=np.int64)
        for row, (first, last) in enumerate(spans):
            ids: np.ndarray = self.ids[first:last].astype(np.int64)
            learnt = self.learnt[first:last]
            inputs[row, : len(ids) - 1] = ids[:-1]
            targets[row, : len(ids) - 1] = np.where(learnt[1:], ids[1:], IGNORED)
        return TokenBatch(torch.from_numpy(inputs), torch.from_numpy(targets), int((targets != IGNORED).sum()))


def write(path: Path, dialogues: Iterable[Dialogue]) -> Conversations:
    """Write conversations to a file that appears only when it is whole."""
    ids: list[np.ndarray] = []
    learnt: list[np.ndarray] = []
    for dialogue in dialogues:
        ids.append(np.asarray(dialogue.ids, dtype=np.uint32))
        learnt.append(np.asarray(dialogue.learnt, dtype=np.uint8))
    arrays = {
        "ids": np.concatenate(ids) if ids else np.empty(0, np.uint32),
        "learnt": np.concatenate(learnt) if learnt else np.empty(0, np.uint8),
        "ends": np.cumsum([len(one) for one in ids], dtype=np.int64),
    }
    partial = path.with_suffix(".partial")
    with disk(path):
        save_file(arrays, partial)
    partial.replace(path)
    return Conversations(**arrays)


def read(path: Path) -> Conversations:
    return Conversations(**load_file(path))


class ConversationBatches:
    """An endless stream of batches of ``size`` conversations."""

    def __init__(self, conversations: Conversations, size: int, seed: int) -> None:
        self._conversations = conversations
        self._size = min(size, len(conversations))
        self._order = SortedPools(conversations.lengths(), self._size, seed)
        self._share = Share()

    def __getitem__(self, position: int) -> TokenBatch:
        return self._conversations.batch(self._share.of(self._rows(position)))

    def shared(self, rank: int, ranks: int) -> ConversationBatches:
        part = copy.copy(self)
        part._share = Share(rank, ranks)
        return part

    def named(self, position: int) -> str:
        return f"conversations {', '.join(str(row + 1) for row in self._rows(position))} of the train split"

    def _rows(self, position: int) -> list[int]:
        epoch, place = divmod(position, self._order.count // self._size)
        return self._order.epoch(epoch)[place * self._size : (place + 1) * self._size].tolist()


class SortedPools(Order):
    """A random order in which neighbours are of like length. The conversations that would not fill
    a batch are left out, others in every epoch."""

    def __init__(self, lengths: np.ndarray, size: int, seed: int) -> None:
        super().__init__(len(lengths) // size * size, seed)
        self._lengths, self._batch = lengths, size

    def arrange(self, generator: np.random.Generator) -> np.ndarray:
        order = generator.permutation(len(self._lengths))[: self.count]
        pool = POOL_BATCHES * self._batch
        pools = [order[start : start + pool] for start in range(0, len(order), pool)]
        ordered = np.concatenate([one[np.argsort(self._lengths[one], kind="stable")] for one in pools])
        batches = ordered.reshape(-1, self._batch)
        return batches[generator.permutation(len(batches))].reshape(-1)


def held_out(conversations: Conversations, size: int, most: int) -> list[TokenBatch]:
    """The first ``most`` conversations, sorted by length, in batches; the last may be smaller."""
    count = min(most, len(conversations))
    rows = np.argsort(conversations.lengths()[:count], kind="stable").tolist()
    return [conversations.batch(rows[start : start + size]) for start in range(0, count, size)]
