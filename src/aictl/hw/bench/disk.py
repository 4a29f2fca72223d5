"""Speed of the file system that holds a folder: in sequence and at random, through the page cache and past it.

The file has no name (``O_TMPFILE``, or removed as soon as it is open), so that nothing stays behind
however the process ends. Its blocks are written once before anything is timed. Buffered writes are
timed with the ``fdatasync`` that makes them last; buffered reads begin with nothing of the file in the cache;
direct ones (``O_DIRECT``) never touch it. One operation is in flight at a time, unless ``depth`` says
otherwise: then so many threads each have one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from aictl.core.errors import BadRequest, MachineLacks
from aictl.core.events import Events, silent
from aictl.hw.bench.repeat import Figure, Sample, repeat
from aictl.hw.disks import mounted

BLOCK = {"sequential": 2**20, "random": 4096}
DEPTH = 16
SAMPLE_S = 0.02
SPARE = 1.05  # a file system needs room of its own, and others who write meanwhile as well


class Way(NamedTuple):
    """One way to go through the file."""

    pattern: str
    access: str
    mode: str
    depth: int = 1


WAYS = [
    Way(pattern, access, mode) for pattern in BLOCK for access in ("read", "write") for mode in ("buffered", "direct")
] + [Way("random", "read", "direct", DEPTH), Way("random", "write", "direct", DEPTH)]


def require_room(folder: Path, size: int) -> None:
    """Raise :class:`MachineLacks` unless a file of this size fits, before anything is measured."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise BadRequest(f"the disk of {folder} cannot be measured: {error.strerror}") from error
    if free < size * SPARE:
        raise _no_room(folder, size, free)


class Prepared(NamedTuple):
    """A file whose every block was written, and page-aligned memory to write from and read into."""

    file: int
    size: int
    memory: memoryview


@contextmanager
def prepared(folder: Path, size: int) -> Iterator[Prepared]:
    """A file to measure with, gone when it is closed."""
    require_room(folder, size)
    with _file(folder) as file, buffer(BLOCK["sequential"]) as memory:
        try:
            _lay_out(file, size, memory)
            yield Prepared(file, size, memory)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise _no_room(folder, size, shutil.disk_usage(folder).free) from error
            raise


def figure(on: Prepared, way: Way, budget_s: float) -> Figure:
    """Seconds of one operation. Raises ``OSError`` (EINVAL) where the file system has no such mode."""
    with _mode(on.file, way.mode), _readahead(on.file, way), _sampling(on, way) as sample:
        return repeat(sample, budget_s=budget_s, sample_s=min(SAMPLE_S, budget_s / 8))


def measure(
    folder: Path, size: int, *, budget_s: float, events: Events = silent
) -> tuple[list[dict[str, Any]], list[str]]:
    """A figure for every way, and a note of what this file system does not do."""
    kind = filesystem(folder)
    rows, notes = [], []
    task = f"disk of {folder}"
    events.started(task, total=len(WAYS), unit="figures")
    with prepared(folder, size) as on:
        for number, way in enumerate(WAYS):
            try:
                found = figure(on, way, budget_s)
            except OSError as error:
                if error.errno != errno.EINVAL or way.mode != "direct":
                    raise
                notes.append(f"disk: {kind or 'this file system'} does not take O_DIRECT")
                continue
            rows.append(
                {
                    "path": str(folder),
                    "filesystem": kind,
                    **way._asdict(),
                    "block_bytes": BLOCK[way.pattern],
                    "bytes_per_s": found.rate(BLOCK[way.pattern]),
                    "operations_per_s": found.rate(1),
                    "spread": found.spread,
                    "repeats": found.repeats,
                }
            )
            events.advanced(task, number + 1)
    events.finished(task)
    return rows, sorted(set(notes))


def filesystem(folder: Path, root: Path = Path("/")) -> str | None:
    """The type of the deepest mount above a folder."""
    place = folder.resolve()
    above = [mount for mount in mounted(root) if place.is_relative_to(mount["mount"])]
    return max(above, key=lambda mount: len(Path(mount["mount"]).parts))["filesystem"] if above else None


def _no_room(folder: Path, size: int, free: int) -> MachineLacks:
    return MachineLacks(
        f"the disk is measured with a file of {size // 2**20} MiB, and {folder} has {free // 2**20} MiB free",
        cure="give a smaller --disk-mib, another --folder, or leave it out with --only gemm,memory,collectives",
    )


@contextmanager
def _file(folder: Path) -> Iterator[int]:
    """A file without a name."""
    try:
        try:
            file = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
                raise
            file, name = tempfile.mkstemp(prefix=".aictl-bench-", dir=folder)  # network file systems know no other
            Path(name).unlink()
    except OSError as error:
        raise BadRequest(f"no file can be made in {folder}: {error.strerror}", cure="give another --folder") from error
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def buffer(size: int) -> Iterator[memoryview]:
    """Memory at the start of a page, as O_DIRECT wants it, with bytes that no disk can compress."""
    area = mmap.mmap(-1, size)
    area[:] = random.Random(0).randbytes(size)
    view = memoryview(area)
    try:
        yield view
    finally:
        view.release()
        with contextlib.suppress(BufferError):  # a failure's traceback may still hold a part of it
            area.close()


def _lay_out(file: int, size: int, block: memoryview) -> None:
    """Write the whole file once, so that no timed write has to find a place for its block."""
    os.posix_fallocate(file, 0, size)
    for offset in range(0, size, len(block)):
        os.pwritev(file, [block[: size - offset]], offset)
    os.fsync(file)


@contextmanager
def _mode(file: int, mode: str) -> Iterator[None]:
    if mode == "buffered":
        yield
        return
    flags = fcntl.fcntl(file, fcntl.F_GETFL)
    fcntl.fcntl(file, fcntl.F_SETFL, flags | os.O_DIRECT)
    try:
        yield
    finally:
        fcntl.fcntl(file, fcntl.F_SETFL, flags)


@contextmanager
def _readahead(file: int, way: Way) -> Iterator[None]:
    """Tell the kernel how the file will be read, as a program that cares does (and fio)."""
    advice = os.POSIX_FADV_SEQUENTIAL if way.pattern == "sequential" else os.POSIX_FADV_RANDOM
    os.posix_fadvise(file, 0, 0, advice)
    yield
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_NORMAL)


@contextmanager
def _sampling(on: Prepared, way: Way) -> Iterator[Sample]:
    """A sample of so many operations, going on where the last sample ended or wherever chance says."""
    file, width = on.file, BLOCK[way.pattern]
    blocks = on.size // width
    place = 0
    chance = random.Random(1)
    parts = [on.memory[at : at + width] for at in range(0, len(on.memory), len(on.memory) // way.depth)]
    pool = ThreadPoolExecutor(way.depth)

    def offsets(count: int) -> list[int]:
        nonlocal place
        if way.pattern == "random":
            return [chance.randrange(blocks) * width for _ in range(count)]
        found = [(place + number) % blocks * width for number in range(count)]
        place = (place + count) % blocks
        return found

    def go(places: list[int], part: memoryview) -> None:
        for offset in places:
            if way.access == "write":
                os.pwritev(file, [part], offset)
            elif os.preadv(file, [part], offset) != width:
                raise OSError(errno.EIO, "the file is shorter than it was made")

    def sample(count: int) -> float:
        places = offsets(count)
        if way.mode == "buffered":
            os.fdatasync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        start = time.perf_counter()
        if way.depth == 1:
            go(places, parts[0])
        else:
            list(pool.map(go, [places[one :: way.depth] for one in range(way.depth)], parts))
        if way.access == "write" and way.mode == "buffered":
            os.fdatasync(file)
        return time.perf_counter() - start

    try:
        with pool:
            yield sample
    finally:
        for part in parts:
            part.release()
