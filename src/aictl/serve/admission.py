"""How many requests generate at once, how many wait, and who is turned away."""

from __future__ import annotations

import asyncio

from aictl.serve.refusal import queue_full


class Admission:
    """First come, first served, between two bounds. Used from the event loop alone."""

    def __init__(self, max_concurrency: int, max_queue: int) -> None:
        self._free = asyncio.Semaphore(max_concurrency)
        self._max_queue = max_queue
        self.running = 0
        self.waiting = 0

    async def enter(self) -> None:
        """Wait for a turn; whoever gets one must :meth:`leave`. Raises :class:`Refusal` 429 at
        once if too many wait already."""
        if self._free.locked() and self.waiting >= self._max_queue:
            raise queue_full(self.waiting)
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.running += 1

    def leave(self) -> None:
        self.running -= 1
        self._free.release()
