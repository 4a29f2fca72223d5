"""Memory bandwidth: STREAM's kernels in main memory, and reading and scaling from the first cache outwards.

Counted as STREAM counts (McCalpin, https://www.cs.virginia.edu/stream/ref.html): bytes that the kernel
names, 16 per element for copy and scale and 24 for add and triad, without the line that a processor
may read before it writes it; every array at least four times the last-level cache. ``read`` is a sum:
8 bytes per element.

Every thread works on a slice of its own that it has itself touched first, so that no page fault is timed
and memory lies on the thread's own NUMA node. In caches, one call of a library costs more than the work
itself, so there one call goes over the same elements many times (a view whose outer stride is zero).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided

from aictl.core.events import Events, silent
from aictl.hw.bench.devices import Device, sample_of
from aictl.hw.bench.repeat import Sample, repeat

BYTES = {"copy": 16, "scale": 16, "add": 24, "triad": 24, "read": 8}  # of one element, as STREAM counts
RULE = 4  # arrays this many times as large as the last-level cache
ELEMENT = 8
LEAST_ARRAY = 64 * 2**20  # where the cache is not known
ONE_CALL = 2**26  # elements that one call goes over in the curve: milliseconds, beside which starting it is nothing
APART = 4096 + 128  # arrays that start at the same place in a page hinder each other in the first cache
SCALAR = 3.0


# Does one call in each thread, together, and returns the seconds from the first start to the last end.
Together = Callable[[Sequence[Callable[[], object]]], float]


class Place(NamedTuple):
    """A slice of memory that one thread works on: three arrays of float64."""

    a: Any
    b: Any
    c: Any


def array_bytes(device: Device, quick: bool = False) -> tuple[int, bool]:
    """The size of one of STREAM's three arrays, and whether it keeps STREAM's rule."""
    wanted = max(RULE * device.cache_bytes, LEAST_ARRAY if quick else 2 * LEAST_ARRAY)
    if not device.is_cpu:
        wanted = max(wanted, 2**28)
    size = min(wanted, device.usable_bytes // 3)
    return size // 4096 * 4096, size >= RULE * device.cache_bytes


def measure(
    device: Device, *, budget_s: float, quick: bool = False, array: int | None = None, events: Events = silent
) -> tuple[list[dict[str, Any]], list[str]]:
    """STREAM with all threads and with one, then the curve from cache to memory; and notes."""
    size, ruled = array_bytes(device, quick)
    notes = []
    if array is not None:
        size = array
    elif not ruled:
        notes.append(
            f"{device.name}: arrays of {size // 2**20} MiB are less than {RULE} times the last-level cache, "
            "so part of the bandwidth is the cache's: allow more with --memory-share"
        )
    threads = [device.threads, 1] if device.threads > 1 else [device.threads]
    curve = [one for one in working_sets(device, quick) if one < size and one * device.threads <= device.usable_bytes]
    if not device.is_cpu:
        threads = [0]
    task = f"memory of {device.name}"
    events.started(task, total=len(threads) * len(BYTES) + 2 * len(curve), unit="figures")
    rows: list[dict[str, Any]] = []
    for count in threads:
        for row in stream(device, size, count, budget_s):
            rows.append(row)
            events.advanced(task, len(rows))
    for working_set in curve:
        rows += cached(device, working_set, budget_s)
        events.advanced(task, len(rows))
    events.finished(task)
    return rows, notes


def sustained(rows: Sequence[dict[str, Any]]) -> float | None:
    """Triad from main memory with every thread: the figure that a machine's memory is known by."""
    triads = [row for row in rows if row["kernel"] == "triad"]
    best = max(triads, key=lambda row: (row["threads"] or 0, row["working_set_bytes"]), default=None)
    return best["bytes_per_s"] if best else None


def working_sets(device: Device, quick: bool = False) -> list[int]:
    """Bytes that one thread, or the GPU, goes over: from the first cache to beyond the last."""
    first, last = (2**14, 2**27) if device.is_cpu else (2**21, 2**30)
    sizes = [first]
    while sizes[-1] < last:
        sizes.append(sizes[-1] * 2)
    return sizes[:: 3 if quick else 1]


# On the processor


@contextmanager
def crew(threads: int) -> Iterator[Together]:
    """Threads that each do one call at a time; a call's seconds are from the first start to the last end.

    Both libraries let go of Python's lock while they work. torch itself computes with one thread in each.
    """
    barrier = threading.Barrier(threads)
    before = torch.get_num_threads()

    def one(call: Callable[[], object]) -> tuple[float, float]:
        barrier.wait()
        start = time.perf_counter()
        call()
        return start, time.perf_counter()

    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:

        def together(calls: Sequence[Callable[[], object]]) -> float:
            spans = list(pool.map(one, calls))
            return max(end for _, end in spans) - min(start for start, _ in spans)

        try:
            yield together
        finally:
            barrier.abort()
    torch.set_num_threads(before)


def arrays(elements: int) -> Place:
    """Three arrays that were written once, none of which begins where another does in a page.

    From torch's allocator, as models are: numpy asks the kernel for huge pages, with which copying was a
    third faster here than any tensor of a model is copied.
    """
    room = torch.zeros(3 * (elements + APART // ELEMENT), dtype=torch.float64).numpy()
    step = elements + APART // ELEMENT
    place = Place(*(room[number * step : number * step + elements] for number in range(3)))
    place.a[:], place.b[:], place.c[:] = 1.0, 2.0, 0.0
    return place


def kernels(a: Any, b: Any, c: Any) -> dict[str, Callable[[], object]]:
    """STREAM's four and a read, each one pass in one call."""
    return {
        "copy": lambda: c.copy_(a),
        "scale": lambda: torch.mul(c, SCALAR, out=b),
        "add": lambda: torch.add(a, b, out=c),
        "triad": lambda: torch.add(b, c, alpha=SCALAR, out=a),
        "read": lambda: torch.sum(a),
    }


def stream(device: Device, size: int, threads: int, budget_s: float) -> Iterator[dict[str, Any]]:
    """The kernels on three arrays of ``size`` bytes each, which the threads share."""
    if not device.is_cpu:
        elements = size // ELEMENT
        a, b, c = (torch.full((elements,), value, dtype=torch.float64, device=device.name) for value in (1.0, 2.0, 0.0))
        for kernel, call in kernels(a, b, c).items():
            yield _row(kernel, sample_of(device, call), budget_s, elements=elements, main_memory=True)
        return
    elements = size // ELEMENT // threads
    with crew(threads) as together:
        places: list[Place] = [Place(None, None, None)] * threads

        def touch(number: int) -> Callable[[], None]:
            def call() -> None:
                places[number] = arrays(elements)

            return call

        together([touch(number) for number in range(threads)])
        every = [kernels(*map(torch.from_numpy, place)) for place in places]
        for kernel in BYTES:
            calls = [one[kernel] for one in every]
            sample = _sample(together, calls)
            yield _row(kernel, sample, budget_s, elements=elements * threads, threads=threads, main_memory=True)


def cached(device: Device, working_set: int, budget_s: float) -> Iterator[dict[str, Any]]:
    """Reading, and scaling from one half into the other, over and over."""
    threads = device.threads
    elements = working_set // ELEMENT
    if not device.is_cpu:
        a = torch.ones(elements, dtype=torch.float64, device=device.name)
        half = elements // 2
        yield _row("read", sample_of(device, lambda: torch.sum(a)), budget_s, elements=elements)
        scale = sample_of(device, lambda: torch.mul(a[:half], SCALAR, out=a[half:]))
        yield _row("scale", scale, budget_s, elements=half)
        return
    times = max(1, ONE_CALL // elements)
    with crew(threads) as together:
        sources = [np.ones(elements + APART // ELEMENT) for _ in range(threads)]
        reads = [torch.from_numpy(one[:elements]).expand(times, elements) for one in sources]
        read = _sample(together, [_summing(one) for one in reads])
        yield _row("read", read, budget_s, elements=elements * threads, threads=threads, times=times)
        half = elements // 2
        begin = half + APART // ELEMENT
        shape, strides = (times, half), (0, ELEMENT)
        pairs = [
            (as_strided(one[:half], shape, strides), as_strided(one[begin : begin + half], shape, strides))
            for one in sources
        ]
        scale = _sample(together, [_scaling(*pair) for pair in pairs])
        yield _row("scale", scale, budget_s, elements=half * threads, threads=threads, times=times)


def _summing(numbers: Any) -> Callable[[], object]:
    return lambda: torch.sum(numbers, 1)


def _scaling(source: Any, target: Any) -> Callable[[], object]:
    return lambda: np.multiply(source, SCALAR, out=target)


def _sample(together: Together, calls: Sequence[Callable[[], object]]) -> Sample:
    return lambda count: sum(together(calls) for _ in range(count))


def _row(
    kernel: str,
    sample: Sample,
    budget_s: float,
    *,
    elements: int,
    threads: int | None = None,
    times: int = 1,
    main_memory: bool = False,
) -> dict[str, Any]:
    """One figure. ``elements`` are those that all threads go over together, ``times`` over in one call."""
    figure = repeat(sample, budget_s=budget_s)
    return {
        "kernel": kernel,
        "working_set_bytes": elements * BYTES[kernel],
        "threads": threads,
        "main_memory": main_memory,
        "bytes_per_s": figure.rate(elements * times * BYTES[kernel]),
        "spread": figure.spread,
        "repeats": figure.repeats,
    }
