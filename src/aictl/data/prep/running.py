"""Streams worked off by processes side by side, or by this one where there is little to do.

What comes of a stream lies on the shelf, so that nothing is handed back: a process that dies leaves whole chunks
behind, and the stream goes on from there.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import Synchronized
from typing import Any, NamedTuple

from aictl.artifacts.dataset import Format
from aictl.core.errors import WorkFailed
from aictl.core.events import Events
from aictl.data.prep.route import process
from aictl.data.prep.shelf import Shelf
from aictl.data.prep.spec import PrepSpec
from aictl.data.prep.streams import Stream

ALONE_BYTES = 16 * 2**20  # below this, starting a process takes longer than the work
MOST_DEATHS = 3  # of processes, in a row, after which something is wrong with the work
TELL_EVERY_S = 0.25
TASK = "read"


class Job(NamedTuple):
    """What is done with every stream."""

    format: Format
    spec: PrepSpec
    shelf: Shelf


def run(streams: Sequence[Stream], job: Job, events: Events) -> None:
    """Put every stream on the shelf.

    Raises what :func:`aictl.data.prep.route.process` raises, and :class:`WorkFailed` if processes keep dying.
    """
    total = sum(stream.size_bytes for stream in streams)
    workers = min(len(streams), job.spec.work.workers or len(os.sched_getaffinity(0)))
    events.started(TASK, float(total) or None, "bytes")
    if workers == 1 or total < ALONE_BYTES:
        _alone(streams, job, events)
    else:
        _together(streams, job, events, workers)
    events.finished(TASK)


def _alone(streams: Sequence[Stream], job: Job, events: Events) -> None:
    done = told_at = 0.0
    for stream in streams:
        read = 0.0

        def advanced(characters: int, before: float = done, size: float = float(stream.size_bytes)) -> None:
            nonlocal read, told_at
            read += characters
            if time.monotonic() > told_at + TELL_EVERY_S:
                told_at = time.monotonic()
                events.advanced(TASK, before + min(read, size))

        process(stream, *job, advanced)
        done += stream.size_bytes


def _together(streams: Sequence[Stream], job: Job, events: Events, workers: int) -> None:
    context = multiprocessing.get_context("spawn")  # a copy of this process would inherit its threads
    counter = context.Value("q", 0)
    left = list(streams)
    deaths = 0
    while left:
        with ProcessPoolExecutor(workers, context, _begin, (counter,)) as pool:
            try:
                futures = {pool.submit(_one, stream, job): stream for stream in left}
                _follow(futures, counter, events, left)
                deaths = 0
            except BrokenProcessPool:
                deaths += 1
                if deaths == MOST_DEATHS:
                    raise WorkFailed(
                        f"{deaths} times a process that reads was killed from outside",
                        cure="it may have taken too much memory: give fewer --workers, or a smaller --max-chars",
                    ) from None
                events.noted("a process that reads was killed; its work goes on from what it had kept", "warning")
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for child in multiprocessing.active_children():
                    child.terminate()
                raise


def _follow(
    futures: dict[Future[None], Stream], counter: Synchronized[int], events: Events, left: list[Stream]
) -> None:
    open = set(futures)
    while open:
        done, open = wait(open, timeout=TELL_EVERY_S, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
            left.remove(futures[future])
        events.advanced(TASK, float(counter.value))


# In a process of its own

_counter: Any = None


def _begin(counter: Any) -> None:
    global _counter  # noqa: PLW0603  (how a pool hands a counter to its processes)
    _counter = counter
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that started it is interrupted, and ends it


def _one(stream: Stream, job: Job) -> None:
    def advanced(characters: int) -> None:
        with _counter.get_lock():
            _counter.value += characters

    process(stream, *job, advanced)
