"""Copies between the host and each GPU, and between GPUs, pinned and pageable, in both directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from aictl.core.events import Events, silent
from aictl.hw.bench.devices import Device, sample_of
from aictl.hw.bench.repeat import Figure, repeat


def measure(
    device: Device, others: Sequence[str] = (), *, budget_s: float, quick: bool = False, events: Events = silent
) -> list[dict[str, Any]]:
    """The copies from and to one GPU; ``others`` are GPUs that it copies to. A processor has none."""
    if device.is_cpu:
        return []
    sizes = [size for size in (2**12, 2**20, 2**24, 2**28)[:: 2 if quick else 1] if 2 * size < device.usable_bytes]
    task = f"copies of {device.name}"
    events.started(task, total=len(sizes) * (4 + len(others)), unit="figures")
    rows: list[dict[str, Any]] = []
    for size in sizes:
        here = torch.zeros(size, dtype=torch.uint8, device=device.name)
        for memory in ("pinned", "pageable"):
            host = torch.zeros(size, dtype=torch.uint8, pin_memory=memory == "pinned")
            for source, target, names in ((host, here, ("cpu", device.name)), (here, host, (device.name, "cpu"))):
                figure = repeat(sample_of(device, _copying(source, target)), budget_s=budget_s)
                rows.append(_row(names, memory, size, figure))
                events.advanced(task, len(rows))
        for other in others:
            there = torch.zeros(size, dtype=torch.uint8, device=other)
            figure = repeat(sample_of(device, _copying(here, there)), budget_s=budget_s)
            rows.append(_row((device.name, other), "device", size, figure))
            events.advanced(task, len(rows))
    events.finished(task)
    return rows


def _copying(source: Any, target: Any) -> Callable[[], object]:
    return lambda: target.copy_(source, non_blocking=True)


def _row(names: tuple[str, str], memory: str, size: int, figure: Figure) -> dict[str, Any]:
    return {
        "from": names[0],
        "to": names[1],
        "memory": memory,
        "bytes": size,
        "seconds": figure.seconds,
        "bytes_per_s": figure.rate(size),
        "spread": figure.spread,
        "repeats": figure.repeats,
    }
