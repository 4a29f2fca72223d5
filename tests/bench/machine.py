"""`hw bench` beside tools that know nothing of it: mbw for memory, fio for the disk, numpy for matrix products.

Both measure the same thing on the same machine, in turn, A B B A; what counts is the median of the ratios. The
goal is a ratio within 10 % of 1: whoever measures right measures the same.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "machine.md"
HEAD = """# `hw bench` beside independent tools

Written by `make bench` (alone: `python -m tests.bench machine`). Each row is the same quantity, measured by the code
of `aictl hw bench` and by a tool that knows nothing of it, in turn, A B B A, in one run, until the median of the
rounds' ratios is known to {known:.0%} or {most} rounds are over; beside it stands its 95 % confidence interval.
Absolute rates belong to the machine that ran them: {cores} cores, load {load:.1f}
when it began. mbw counts the bytes that are copied; here, as in STREAM, those read and those written count.
"""
KNOWN = 0.03
LEAST, MOST = 8, 60  # many short rounds: a noisy minute then hits both alike
MIB = 2**20
MISSING = "{0} is not installed: apt-get install {0}"


class Row(NamedTuple):
    """One quantity by both, in ``unit``; without the peer ``reason`` says why."""

    what: str
    peer: str
    unit: str
    ours: float = 0.0
    theirs: float = 0.0
    ratio: float = 0.0
    low: float = 0.0
    high: float = 0.0
    reason: str = ""

    def cells(self) -> str:
        if self.reason:
            return f"| {self.what} | {self.peer} | – | – | {self.reason} | within 10 % |"
        ratio = f"**{self.ratio:.2f}** ({self.low:.2f}–{self.high:.2f})"
        ours, theirs = f"{self.ours:.3g} {self.unit}", f"{self.theirs:.3g} {self.unit}"
        return f"| {self.what} | {self.peer} | {ours} | {theirs} | {ratio} | within 10 % |"


def write(place: Path) -> None:
    """Measure, and write the page; ``place`` is a folder on the disk that is meant."""
    lines = [HEAD.format(known=KNOWN, most=MOST, cores=len(os.sched_getaffinity(0)), load=os.getloadavg()[0])]
    lines += ["| what | peer | ours | peer's | ours / peer's | goal |", "|---|---|---|---|---|---|"]
    for row in measure(place):
        lines.append(row.cells())
        print(lines[-1])
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n".join(lines) + "\n", "utf-8")


def measure(place: Path) -> Iterator[Row]:
    """Every row, as soon as it is known. ``place`` is a folder on the disk that is meant."""
    yield from _memory()
    yield from _disk(place)
    yield from _products()


def in_turn(what: str, peer: str, unit: str, ours: Callable[[], float], theirs: Callable[[], float]) -> Row:
    """Both in turn, A B B A: who goes first finds a disk or a processor that has rested. The first round warms up."""
    from aictl.hw.bench.repeat import interval, spread

    rounds: list[tuple[float, float]] = []
    for count in range(MOST + 1):
        first, second = ours(), theirs()
        third, fourth = theirs(), ours()
        if count:
            rounds.append((math.sqrt(first * fourth), math.sqrt(second * third)))
        ratios = [a / b for a, b in rounds]
        if len(ratios) >= LEAST and spread(ratios) <= KNOWN:
            break
    a, b = (statistics.median(side) for side in zip(*rounds, strict=True))
    return Row(what, peer, unit, a, b, statistics.median(ratios), *interval(ratios))


# Memory


def _memory() -> Iterator[Row]:
    """Copying with one thread. mbw counts the bytes that are copied, STREAM those that are read and written."""
    from aictl.hw.bench.devices import devices
    from aictl.hw.bench.memory import array_bytes, stream

    what, peer = "copying memory, one thread", "mbw (memcpy)"
    if shutil.which("mbw") is None:
        yield Row(what, peer, "GB/s", reason=MISSING.format("mbw"))
        return
    cpu = devices(["cpu"], 1, 0.25)[0]
    size, _ = array_bytes(cpu)

    def ours() -> float:
        copy = next(stream(cpu, size, 1, 0.3))
        assert copy["kernel"] == "copy"
        return copy["bytes_per_s"] / 1e9

    def theirs() -> float:
        said = _said("mbw", "-q", "-a", "-t", "0", "-n", "15", str(size // MIB))
        rates = sorted(float(one) for one in re.findall(r"Copy: ([\d.]+) MiB/s", said))
        return 2 * statistics.median(rates) * MIB / 1e9

    yield in_turn(what, peer, "GB/s", ours, theirs)


# Disk


def _disk(place: Path) -> Iterator[Row]:
    from aictl.hw.bench.disk import BLOCK, Prepared, Way, buffer, figure, prepared

    size = 512 * MIB
    for way, rw in (
        (Way("sequential", "read", "direct"), "read"),
        (Way("sequential", "write", "direct"), "write"),
        (Way("random", "read", "direct"), "randread"),
        (Way("random", "write", "direct"), "randwrite"),
    ):
        sequential = way.pattern == "sequential"
        block = "1M" if sequential else "4k"
        what = f"{way.pattern} {way.access}s past the page cache, {block}, one in flight"
        unit = "MB/s" if sequential else "operations/s"
        if shutil.which("fio") is None:
            yield Row(what, "fio", unit, reason=MISSING.format("fio"))
            continue
        # Both go through the same file, which has no name: where a file lies on a disk, and what below the kernel
        # remembers of it, made more difference here than who reads it.
        with prepared(place, size) as on:
            command = ["fio", "--name=peer", f"--filename=/proc/{os.getpid()}/fd/{on.file}", f"--size={size}"]
            command += ["--output-format=json", "--allow_file_create=0", f"--bs={block}", "--direct=1"]
            command += ["--ioengine=psync", "--runtime=500ms", "--time_based", "--scramble_buffers=0"]
            unit_bytes = BLOCK[way.pattern] / 1e6 if sequential else 1

            def ours(on: Prepared = on, way: Way = way, amount: float = unit_bytes) -> float:
                # Memory anew each time, as fio has it: some pages of a virtual machine are read into twice as fast.
                with buffer(len(on.memory)) as memory:
                    return figure(on._replace(memory=memory), way, 0.5).rate(amount)

            def theirs(words: tuple[str, ...] = (*command, f"--rw={rw}"), access: str = way.access) -> float:
                said = json.loads(_said(*words))["jobs"][0][access]
                return said["bw_bytes"] / 1e6 if "--bs=1M" in words else said["iops"]

            yield in_turn(what, "fio (psync)", unit, ours, theirs)


# Matrix products

PEER = """
import sys, time
import numpy
side = int(sys.argv[1])
a, b = (numpy.random.default_rng(seed).standard_normal((side, side), dtype=numpy.float32) for seed in (1, 2))
out = a @ b
for _ in sys.stdin:
    times = []
    for _ in range(7):
        start = time.perf_counter()
        numpy.matmul(a, b, out=out)
        times.append(time.perf_counter() - start)
    print(2 * side**3 / sorted(times)[3], flush=True)
"""


def _products(side: int = 1024) -> Iterator[Row]:
    """One thread each: with more, another program on the machine decides which library waits for whom."""
    from aictl.hw.bench.devices import devices, torch_threads
    from aictl.hw.bench.gemm import Shape
    from aictl.hw.bench.gemm import measure as products

    cpu = devices(["cpu"], 1, 0.25)[0]
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, "1")}

    command = [sys.executable, "-c", PEER, str(side)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as peer:
        assert peer.stdin and peer.stdout

        def ours() -> float:
            with torch_threads(1):
                rows, _ = products(cpu, budget_s=0.6, only=["fp32"], sizes=[Shape(side, side, side)])
            return rows[0]["flops_per_s"] / 1e9

        def theirs() -> float:
            print("again", file=peer.stdin, flush=True)
            return float(peer.stdout.readline()) / 1e9

        yield in_turn(f"fp32 matrix product of {side}, one thread", "numpy.matmul (OpenBLAS)", "GFLOP/s", ours, theirs)
        peer.stdin.close()


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
