"""All-reduce, all-gather and reduce-scatter between processes: latency and bandwidth against message size.

Sizes and bandwidths are those of nccl-tests, so that figures can be held beside its own
(https://github.com/NVIDIA/nccl-tests/blob/master/doc/PERFORMANCE.md): the size of an all-gather is
what every process ends with, that of a reduce-scatter what it begins with; algorithm bandwidth is size over
time; bus bandwidth is that times 2(n-1)/n for all-reduce and (n-1)/n for the others, which makes it
comparable with what a link can carry, whatever the number of processes n.

Process 0 leads: it says what to do and how often, all do it, and the slowest one's time counts. The
others do as they are told until they are told to stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist

from aictl.core.errors import WorkFailed
from aictl.core.events import Events, silent
from aictl.hw.bench.repeat import repeat

OPERATIONS = ("all_reduce", "all_gather", "reduce_scatter")
STOP = -1
ELEMENT = 4  # bytes of the float32 that is sent


def bus_factor(operation: str, ranks: int) -> float:
    """Bus bandwidth over algorithm bandwidth, as nccl-tests has it."""
    return (2 if operation == "all_reduce" else 1) * (ranks - 1) / ranks


def message_sizes(device: str, quick: bool = False) -> list[int]:
    """Bytes, from what only latency matters for to what only bandwidth matters for."""
    powers = range(10, 27, 2) if device == "cpu" else range(10, 31, 2)
    return [2**power for power in powers][:: 3 if quick else 1]


class Member:
    """One process's part. ``group`` carries the messages that are measured; what to do is told over
    the default group, which is gloo and knows no GPU."""

    def __init__(self, device: str, group: Any) -> None:
        self.device = device
        self.group = group
        self.ranks = dist.get_world_size()
        self._ready: tuple[tuple[int, int], Callable[[], object]] | None = None

    def follow(self) -> None:
        """Do what process 0 says until it says stop."""
        while True:
            told = torch.zeros(3, dtype=torch.int64)
            dist.broadcast(told, 0)
            operation, size, count = told.tolist()
            if operation == STOP:
                return
            self._run(operation, size, count)

    def lead(self, operation: int, size: int, count: int) -> float:
        """Have everyone do an operation so many times; the slowest one's seconds."""
        dist.broadcast(torch.tensor([operation, size, count]), 0)
        return self._run(operation, size, count)

    def stop(self) -> None:
        dist.broadcast(torch.tensor([STOP, 0, 0]), 0)

    def _run(self, operation: int, size: int, count: int) -> float:
        if self._ready is None or self._ready[0] != (operation, size):
            self._ready = ((operation, size), self._prepared(OPERATIONS[operation], size))
        call = self._ready[1]
        dist.barrier()
        start = time.perf_counter()
        for _ in range(count):
            call()
        self._settle()
        took = torch.tensor(time.perf_counter() - start, dtype=torch.float64)
        dist.all_reduce(took, dist.ReduceOp.MAX)
        return float(took)

    def _settle(self) -> None:
        if self.device != "cpu":
            torch.cuda.synchronize(self.device)

    def _prepared(self, operation: str, size: int) -> Callable[[], object]:
        """The call, on memory that was touched, once its result was seen to be right."""
        rank, ranks = dist.get_rank(), self.ranks
        whole = torch.zeros(size // ELEMENT, device=self.device)
        part = torch.zeros(size // ELEMENT // ranks, device=self.device)
        calls: dict[str, Callable[[], object]] = {
            "all_reduce": lambda: dist.all_reduce(whole, group=self.group),
            "all_gather": lambda: _gather(whole, part, self.group),
            "reduce_scatter": lambda: _scatter(part, whole, self.group),
        }
        (part if operation == "all_gather" else whole).fill_(rank + 1)
        calls[operation]()
        self._settle()
        total = ranks * (ranks + 1) / 2
        wanted = torch.full_like(part, total) if operation == "reduce_scatter" else torch.full_like(whole, total)
        if operation == "all_gather":
            wanted = torch.arange(1.0, ranks + 1, device=self.device).repeat_interleave(part.numel())
        right = torch.tensor(int(torch.equal(part if operation == "reduce_scatter" else whole, wanted)))
        dist.all_reduce(right, dist.ReduceOp.MIN)
        if not right:
            raise WorkFailed(
                f"{operation} of {size} bytes between {ranks} processes gave a wrong result",
                cure="a faulty link or driver: compare with nccl-tests, and look at the kernel's log",
            )
        whole.zero_()  # a sum that is summed again and again would overflow
        part.zero_()
        return calls[operation]


def measure(
    member: Member,
    backend: str,
    *,
    budget_s: float,
    usable_bytes: int,
    quick: bool = False,
    sizes: Sequence[int] | None = None,
    events: Events = silent,
) -> list[dict[str, Any]]:
    """Every operation at every size, led by this process; the others are told to stop at the end."""
    sizes = message_sizes(member.device, quick) if sizes is None else sizes
    unit = ELEMENT * member.ranks
    rows = []
    task = f"collectives of {member.ranks} processes over {backend}"
    events.started(task, total=len(OPERATIONS) * len(sizes), unit="figures")
    for number, operation in enumerate(OPERATIONS):
        for place, wanted in enumerate(sizes):
            size = max(unit, wanted // unit * unit)
            if 3 * size * member.ranks > usable_bytes:
                break
            figure = repeat(_sample(member, number, size), budget_s=budget_s)
            rows.append(
                {
                    "operation": operation,
                    "backend": backend,
                    "device": member.device.partition(":")[0],
                    "ranks": member.ranks,
                    "bytes": size,
                    "seconds": figure.seconds,
                    "algorithm_bytes_per_s": figure.rate(size),
                    "bus_bytes_per_s": figure.rate(size) * bus_factor(operation, member.ranks),
                    "spread": figure.spread,
                    "repeats": figure.repeats,
                }
            )
            events.advanced(task, number * len(sizes) + place + 1)
    member.stop()
    events.finished(task)
    return rows


def _sample(member: Member, operation: int, size: int) -> Callable[[int], float]:
    return lambda count: member.lead(operation, size, count)


def _gather(whole: Any, part: Any, group: Any) -> object:
    call = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
    return call(whole, part, group=group)


def _scatter(part: Any, whole: Any, group: Any) -> object:
    call = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor
    return call(part, whole, group=group)
