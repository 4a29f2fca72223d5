"""Streams worked off by processes on this machine, which put what comes of them on the shelf themselves."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import Synchronized
from typing import Any

from aictl.core.errors import WorkFailed
from aictl.data.prep.route import process
from aictl.data.prep.running import TELL_EVERY_S, Progress
from aictl.data.prep.shelf import Shelf
from aictl.data.prep.steps import Job
from aictl.data.prep.streams import Stream

MOST_DEATHS = 3  # of processes, in a row, after which something is wrong with the work


def run(streams: Sequence[Stream], job: Job, shelf: Shelf, progress: Progress, workers: int) -> None:
    """Raises :class:`WorkFailed` if processes keep dying."""
    context = multiprocessing.get_context("spawn")  # a copy of this process would inherit its threads
    counter = context.Value("q", 0)
    left = list(streams)
    deaths = 0
    while left:
        before = len(left)
        with ProcessPoolExecutor(workers, context, _begin, (counter,)) as pool:
            try:
                _follow(_submitted(pool, left, job, shelf), counter, progress, left)
            except BrokenProcessPool:
                deaths = deaths + 1 if len(left) == before else 1
                if deaths == MOST_DEATHS:
                    raise WorkFailed(
                        f"{deaths} times a process that reads was killed from outside",
                        cure="it may have taken too much memory: give fewer --workers, or a smaller --max-chars",
                    ) from None
                progress.events.noted(
                    "a process that reads was killed; its work goes on from what it had kept", "warning"
                )
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for child in multiprocessing.active_children():
                    child.terminate()
                raise


def _submitted(
    pool: ProcessPoolExecutor, streams: Sequence[Stream], job: Job, shelf: Shelf
) -> dict[Future[None], Stream]:
    try:
        return {pool.submit(_one, stream, job, shelf): stream for stream in streams}
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) is not None:
            raise
        # One process died while the pool started another, and found the pipe to it closed, or given to another.
        raise BrokenProcessPool from error


def _follow(
    futures: dict[Future[None], Stream], counter: Synchronized[int], progress: Progress, left: list[Stream]
) -> None:
    open = set(futures)
    while open:
        done, open = wait(open, timeout=TELL_EVERY_S, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
            left.remove(futures[future])
        progress(counter.value)


# In a process of its own

_counter: Any = None


def _begin(counter: Any) -> None:
    global _counter  # noqa: PLW0603  (how a pool hands a counter to its processes)
    _counter = counter
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that started it is interrupted, and ends it


def _one(stream: Stream, job: Job, shelf: Shelf) -> None:
    def advanced(characters: int) -> None:
        with _counter.get_lock():
            _counter.value += characters

    for chunk in process(stream, job, shelf.begun(stream.number), advanced):
        shelf.put(chunk)
