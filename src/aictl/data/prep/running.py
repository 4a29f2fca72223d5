"""Streams worked off: by this process where there is little to do, by several side by side, or on a Ray cluster.

Whoever does the work, what comes of a stream is the same; chunks are kept as they come, so that nothing is done twice
when a process, a machine or all of it dies.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from aictl.core import extras
from aictl.core.events import Events
from aictl.data.prep.route import process
from aictl.data.prep.shelf import Shelf
from aictl.data.prep.steps import Job
from aictl.data.prep.streams import Stream

ALONE_BYTES = 16 * 2**20  # below this, starting a process takes longer than the work
TELL_EVERY_S = 0.25
TASK = "read"


def run(streams: Sequence[Stream], job: Job, shelf: Shelf, events: Events) -> None:
    """Put every stream on the shelf.

    Raises what reading and the steps raise, and :class:`WorkFailed` if processes keep dying.
    """
    total = sum(stream.size_bytes for stream in streams)
    open = [stream for stream in streams if not shelf.begun(stream.number).done]
    events.started(TASK, float(total) or None, "bytes")
    progress = Progress(events, total - sum(stream.size_bytes for stream in open), total)
    work = job.spec.work
    if work.on != "local":
        extras.require("ray")
        from aictl.data.prep import cluster

        cluster.run(open, job, shelf, progress, work.on)
    else:
        workers = min(len(open), work.workers or len(os.sched_getaffinity(0)))
        if workers <= 1 or total < ALONE_BYTES:
            _alone(open, job, shelf, progress)
        else:
            from aictl.data.prep import local

            local.run(open, job, shelf, progress, workers)
    events.finished(TASK)


class Progress:
    """Tells how much has been read, not too often."""

    def __init__(self, events: Events, done: int, total: int) -> None:
        self.events = events
        self._done, self._total = done, total
        self._told_at = 0.0

    def __call__(self, read: int) -> None:
        """``read`` characters have been read since the run began."""
        if time.monotonic() > self._told_at + TELL_EVERY_S:
            self._told_at = time.monotonic()
            self.events.advanced("read", float(min(self._done + read, self._total)))


def _alone(streams: Sequence[Stream], job: Job, shelf: Shelf, progress: Callable[[int], None]) -> None:
    read = 0

    def advanced(characters: int) -> None:
        nonlocal read
        read += characters
        progress(read)

    for stream in streams:
        for chunk in process(stream, job, shelf.begun(stream.number), advanced):
            shelf.put(chunk)
