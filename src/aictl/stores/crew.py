"""Many transfers at once, with the progress told from one thread.

Threads, because a transfer waits more than it computes, and every library here lets go of Python's lock
meanwhile. They die with the process: nobody waits for a transfer after an interrupt.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from aictl.core.errors import TryLater

WORKERS = 8
_TELL_EVERY_S = 0.25


class Stopped(Exception):
    """Another job failed, or somebody interrupted, so that this one need not go on."""


class Crew:
    """Does jobs on a few threads. ``told`` is called with the bytes moved so far, several times a
    second, from the thread that called :meth:`run`."""

    def __init__(self, told: Callable[[int], None] = lambda moved: None, workers: int = WORKERS) -> None:
        self._told = told
        self._workers = workers
        self._counting, self._choosing = threading.Lock(), threading.Lock()
        self._stop = threading.Event()
        self.bytes_moved = 0

    def moved(self, count: int) -> None:
        """Tell of bytes that arrived. Raises :class:`Stopped` in a job that need not go on."""
        with self._counting:
            self.bytes_moved += count
        if self._stop.is_set():
            raise Stopped

    def run(self, jobs: Iterable[Callable[[], None]]) -> None:
        """Do every job. The first that fails stops the others, and what it raised is raised here, once
        all have stopped; only after an interrupt some may still be at work."""
        waiting = iter(jobs)
        failures: list[Exception] = []
        threads = [
            threading.Thread(target=self._work, args=(waiting, failures), daemon=True) for _ in range(self._workers)
        ]
        self._stop.clear()
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(_TELL_EVERY_S)
                    self._told(self.bytes_moved)
            self._told(self.bytes_moved)
        except BaseException as error:  # an interrupt arrives in this thread alone
            self._stop.set()
            if isinstance(error, Exception):
                for thread in threads:
                    thread.join()
            raise
        if failures:
            raise failures[0]

    @contextmanager
    def telling_what_is_kept(self, total_bytes: int) -> Iterator[None]:
        """Say in a :class:`TryLater` how much was moved, since the same command goes on from there."""
        try:
            yield
        except TryLater as error:
            kept = f"{self.bytes_moved / 1e6:,.1f} of {total_bytes / 1e6:,.1f} MB had been moved and are kept"
            again = "run the same command again: it goes on from there"
            raise TryLater(f"{error.message}; {kept}", cure=again) from error

    def _work(self, waiting: Iterator[Callable[[], None]], failures: list[Exception]) -> None:
        while not self._stop.is_set():
            try:
                with self._choosing:
                    job = next(waiting, None)
                if job is None:
                    return
                job()
            except Exception as error:
                if not isinstance(error, Stopped):
                    failures.append(error)
                self._stop.set()


@contextmanager
def closing_after(*descriptors: int) -> Iterator[None]:
    """Close files once no job needs them. After an interrupt some may be at work, and whoever opened a file
    next would get its number, and their bytes."""
    try:
        yield
    except Exception:
        for one in descriptors:
            os.close(one)
        raise
    for one in descriptors:
        os.close(one)
