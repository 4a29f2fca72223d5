"""The devices that are measured: what they are, how much of their memory may be taken, and their clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from aictl.core.errors import MachineLacks
from aictl.hw import cgroup, cpu, memory
from aictl.hw.bench.repeat import Sample, seconds_of

ROOT = Path("/")


class Device(NamedTuple):
    """One device. ``usable_bytes`` is the share of its memory that a measurement may take,
    ``cache_bytes`` its last-level cache, as far as it is known."""

    name: str
    model: str | None
    memory_bytes: int
    usable_bytes: int
    cache_bytes: int
    threads: int

    @property
    def is_cpu(self) -> bool:
        return self.name == "cpu"


def devices(names: Sequence[str], threads: int | None, share: float, root: Path = ROOT) -> list[Device]:
    """The devices by their names, or all. Raises :class:`MachineLacks` for one that is not here."""
    found = [_processor(threads, share, root)]
    found += [_gpu(index, share) for index in range(torch.cuda.device_count())]
    absent = set(names) - {one.name for one in found}
    if absent:
        raise MachineLacks(
            f"there is no device {', '.join(sorted(absent))} here; there are {', '.join(one.name for one in found)}",
            cure="aictl hw probe tells what the machine has, and aictl hw doctor what keeps torch from it",
        )
    return [one for one in found if not names or one.name in names]


def _processor(threads: int | None, share: float, root: Path) -> Device:
    facts = cpu.probe(root)
    sizes = memory.probe(root)
    total = sizes["total_bytes"] or 0
    free = sizes["available_bytes"] or total
    if limit := sizes["limit_bytes"]:
        total, free = min(total, limit), min(free, limit - (cgroup.probe(root)["memory_used_bytes"] or 0))
    return Device(
        "cpu",
        facts["model"],
        total,
        max(0, int(free * share)),
        last_level_bytes(facts),
        min(threads or facts["usable_threads"], facts["usable_threads"]),
    )


def last_level_bytes(facts: dict[str, Any]) -> int:
    """The last-level caches of the whole machine together."""
    caches = [one for one in facts["caches"] if one["type"] != "Instruction"]
    if not caches:
        return 0
    last = max(caches, key=lambda one: one["level"] or 0)
    return int(last["size_bytes"] * last["instances"])


def _gpu(index: int, share: float) -> Device:
    facts = torch.cuda.get_device_properties(index)
    free, total = torch.cuda.mem_get_info(index)
    cache = getattr(facts, "L2_cache_size", 0)
    return Device(f"cuda:{index}", facts.name, total, int(free * share), cache, 0)


def sample_of(device: Device, call: Callable[[], object]) -> Sample:
    """A sample by the device's own clock: a GPU's work goes on after the call returns, so events in
    its stream say when it began and when it ended."""
    if device.is_cpu:
        return seconds_of(call)

    def sample(count: int) -> float:
        with torch.cuda.device(device.name):
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            torch.cuda.synchronize()
            start.record()
            for _ in range(count):
                call()
            end.record()
            end.synchronize()
            return float(start.elapsed_time(end)) / 1e3

    return sample


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """While it lasts, torch computes with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
