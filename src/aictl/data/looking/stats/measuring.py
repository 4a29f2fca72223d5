"""A dataset measured piece by piece, on many processes where there are many pieces: shards, and parts of long files.

A piece is measured by itself, and what comes of them is put together in their order, so that the result does not
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
from typing import NamedTuple

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import WorkFailed
from aictl.core.events import Events
from aictl.data.looking.shards import blocks, records, require_count, size_bytes
from aictl.data.looking.stats.measures import Measures

ALONE_BYTES = 128 * 2**20  # below this, starting processes takes longer than it saves
PIECE_BYTES = 96 * 2**20  # of a file that is measured at once; more than a shard has
IN_FLIGHT = 2  # pieces for each process that may be measured and wait for those before them
TASK = "measure"


class Piece(NamedTuple):
    """The lines of a shard that begin at or after one byte and before another."""

    path: Path
    begin: int
    end: int


def measure(dataset: Dataset, events: Events, workers: int | None = None) -> dict[str, Measures]:
    """What each split measures. Raises :class:`Damaged` at a line that is no document, or if there are not as many
    as there should be."""
    pieces = [(split, piece) for split in dataset.splits for path in dataset.shards(split) for piece in pieces_of(path)]
    total = size_bytes(dataset)
    workers = min(len(pieces), workers or len(os.sched_getaffinity(0)))
    events.started(TASK, float(total) or None, "bytes")
    every = [piece for _, piece in pieces]
    alone = workers <= 1 or total < ALONE_BYTES
    measured = _alone(every, dataset.format, events) if alone else _together(every, dataset.format, workers, events)
    found = {split: Measures() for split in dataset.splits}
    for (split, _), one in zip(pieces, measured, strict=True):
        found[split].merge(one)
    for split, measures in found.items():
        require_count(dataset, split, measures.total("documents"))
    events.finished(TASK)
    return found


def pieces_of(path: Path) -> Iterator[Piece]:
    """A shard, in as many pieces as it has ``PIECE_BYTES``."""
    size = path.stat().st_size
    for begin in range(0, size, PIECE_BYTES):
        yield Piece(path, begin, min(begin + PIECE_BYTES, size))


def _alone(pieces: Sequence[Piece], format: str, events: Events) -> Iterator[Measures]:
    done = 0
    for piece in pieces:
        found = Measures()
        for block in blocks(piece.path, begin=piece.begin, end=piece.end):
            found.add(records(block, format))
            done += len(block.data)
            events.advanced(TASK, done)
        yield found


def _together(pieces: Sequence[Piece], format: str, workers: int, events: Events) -> Iterator[Measures]:
    context = multiprocessing.get_context("spawn")  # a copy of this process would inherit its threads
    waiting: deque[tuple[Piece, Future[Measures]]] = deque()
    left = iter(pieces)
    done = 0
    with ProcessPoolExecutor(workers, context, _begin) as pool:
        try:
            while True:
                while len(waiting) < IN_FLIGHT * workers and (piece := next(left, None)):
                    waiting.append((piece, pool.submit(measure_piece, piece, format)))
                if not waiting:
                    return
                piece, future = waiting.popleft()
                yield future.result()
                done += piece.end - piece.begin
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


def measure_piece(piece: Piece, format: str) -> Measures:
    """What one piece measures."""
    found = Measures()
    for block in blocks(piece.path, begin=piece.begin, end=piece.end):
        found.add(records(block, format))
    return found


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that started it is interrupted, and ends it
