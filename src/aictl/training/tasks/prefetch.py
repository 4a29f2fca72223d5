"""Batches made beside training, by a thread of their own."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from aictl.training.batches import Batches

AHEAD = 2  # batches that lie ready, at most


class Prefetched:
    """A stream of which the next batches are being made while one is learnt from. The batches are those of the stream
    itself: only when they are made differs."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._ready: dict[int, Future[Any]] = {}

    def __getitem__(self, position: int) -> Any:
        """Raises what making the batch raises."""
        wanted = self._ready.pop(position, None) or self._maker.submit(self._batches.__getitem__, position)
        coming = range(position + 1, position + 1 + AHEAD)
        for old in self._ready.keys() - set(coming):
            self._ready.pop(old).cancel()
        for next_one in coming:
            if next_one not in self._ready:
                self._ready[next_one] = self._maker.submit(self._batches.__getitem__, next_one)
        return wanted.result()

    def shared(self, rank: int, ranks: int) -> Prefetched:
        return Prefetched(self._batches.shared(rank, ranks))

    def named(self, position: int) -> str:
        return self._batches.named(position)
