"""A dataset measured shard by shard, on many processes where there are many shards.

A shard is measured by itself, and what comes of them is put together in their order, so that the result does not
depend on who measured which.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import WorkFailed
from aictl.core.events import Events
from aictl.data.looking.shards import blocks, records, require_count, size_bytes
from aictl.data.looking.stats.measures import Measures

ALONE_BYTES = 128 * 2**20  # below this, starting processes takes longer than it saves
IN_FLIGHT = 2  # shards for each process that may be measured and wait for those before them
TASK = "measure"


def measure(dataset: Dataset, events: Events, workers: int | None = None) -> dict[str, Measures]:
    """What each split measures. Raises :class:`Damaged` at a line that is no document, or if there are not as many
    as there should be."""
    shards = [(split, path) for split in dataset.splits for path in dataset.shards(split)]
    total = size_bytes(dataset)
    workers = min(len(shards), workers or len(os.sched_getaffinity(0)))
    events.started(TASK, float(total) or None, "bytes")
    paths = [path for _, path in shards]
    alone = workers <= 1 or total < ALONE_BYTES
    measured = _alone(paths, dataset.format, events) if alone else _together(paths, dataset.format, workers, events)
    found = {split: Measures() for split in dataset.splits}
    for (split, _), one in zip(shards, measured, strict=True):
        found[split].merge(one)
    for split, measures in found.items():
        require_count(dataset, split, measures.total("documents"))
    events.finished(TASK)
    return found


def _alone(paths: Sequence[Path], format: str, events: Events) -> Iterator[Measures]:
    done = 0
    for path in paths:
        found = Measures()
        for block in blocks(path):
            found.add(records(block, format))
            done += len(block.data)
            events.advanced(TASK, done)
        yield found


def _together(paths: Sequence[Path], format: str, workers: int, events: Events) -> Iterator[Measures]:
    context = multiprocessing.get_context("spawn")  # a copy of this process would inherit its threads
    waiting: deque[tuple[Path, Future[Measures]]] = deque()
    left = iter(paths)
    done = 0
    with ProcessPoolExecutor(workers, context, _begin) as pool:
        try:
            while True:
                while len(waiting) < IN_FLIGHT * workers and (path := next(left, None)):
                    waiting.append((path, pool.submit(measure_shard, path, format)))
                if not waiting:
                    return
                path, future = waiting.popleft()
                yield future.result()
                done += path.stat().st_size
                events.advanced(TASK, done)
        except BrokenProcessPool:
            raise WorkFailed(
                "a process that measures was killed from outside", cure="it may have taken too much memory: --workers 1"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            raise


def measure_shard(path: Path, format: str) -> Measures:
    """What one shard measures."""
    found = Measures()
    for block in blocks(path):
        found.add(records(block, format))
    return found


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that started it is interrupted, and ends it
