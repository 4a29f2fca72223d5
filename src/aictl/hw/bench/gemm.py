"""Rate of matrix products by number format and size, in the layout of a linear layer.

``out (m, n) = x (m, k) @ weight (n, k) transposed``, counted as 2·m·n·k operations. Square products show
what the device can sustain; few rows against a large square weight show what it sustains in
decoding, where m is the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch

from aictl.core.events import Events, silent
from aictl.hw.bench.devices import Device, sample_of
from aictl.hw.bench.repeat import LEAST, repeat


class Shape(NamedTuple):
    m: int
    n: int
    k: int

    @property
    def operations(self) -> int:
        return 2 * self.m * self.n * self.k

    @property
    def elements(self) -> int:
        return self.m * self.k + self.n * self.k + self.m * self.n


FORMATS = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp8": torch.float8_e4m3fn,
    "int8": torch.int8,
}


def shapes(device: Device, quick: bool) -> list[Shape]:
    """From small to large, by the work that each is."""
    sides, rows, wide = [64, 128, 256, 512, 1024, 2048, 4096], [1, 8, 32, 128, 512], 2048
    if not device.is_cpu:
        sides, rows, wide = [256, 512, 1024, 2048, 4096, 8192, 16384], [1, 8, 32, 128, 512, 2048], 8192
    if quick:
        sides, rows = sides[::2], rows[1:4:2]
    found = {Shape(side, side, side) for side in sides} | {Shape(m, wide, wide) for m in rows}
    return sorted(found, key=lambda shape: (shape.operations, shape))


def formats(device: Device) -> list[str]:
    """The number formats that this device's own arithmetic or torch's kernels for it have.

    tf32 is a format of NVIDIA's tensor cores since compute capability 8.0, bf16 too, fp8 since 8.9.
    """
    if device.is_cpu:
        return ["fp32", "bf16", "fp16", "fp8", "int8"]
    if torch.version.hip:
        return ["fp32", "bf16", "fp16", "fp8", "int8"]
    capability = torch.cuda.get_device_capability(device.name)
    least = {"fp32": (0, 0), "tf32": (8, 0), "bf16": (8, 0), "fp16": (5, 3), "fp8": (8, 9), "int8": (7, 5)}
    return [name for name, needed in least.items() if capability >= needed]


def measure(
    device: Device,
    *,
    budget_s: float,
    quick: bool = False,
    only: Sequence[str] | None = None,
    sizes: Sequence[Shape] | None = None,
    events: Events = silent,
) -> tuple[list[dict[str, Any]], list[str]]:
    """The curve of every format, and a note of each that could not be measured.

    A size that would not be done six times in its budget is left out, and the larger ones with it.
    """
    names = formats(device) if only is None else list(only)
    sizes = shapes(device, quick) if sizes is None else sizes
    rows, notes = [], []
    task = f"matrix products on {device.name}"
    events.started(task, total=len(names) * len(sizes), unit="figures")
    for place, name in enumerate(names):
        best = 0.0
        for number, shape in enumerate(sizes):
            if 4 * shape.elements > device.usable_bytes:
                notes.append(f"{device.name} {name}: {_words(shape)} and larger need more memory than --memory-share")
                break
            if best and LEAST * shape.operations / best > 2 * budget_s:
                break
            try:
                figure = _figure(device, name, shape, budget_s)
            except (RuntimeError, NotImplementedError, ValueError) as error:
                # A kernel refuses formats and shapes in its own words; the others are still worth having.
                notes.append(f"{device.name} {name}: {_words(shape)} refused: {str(error).splitlines()[0][:120]}")
                continue
            rate = figure.rate(shape.operations)
            best = max(best, rate)
            rows.append(
                {
                    "dtype": name,
                    **shape._asdict(),
                    "flops_per_s": rate,
                    "spread": figure.spread,
                    "repeats": figure.repeats,
                }
            )
            events.advanced(task, place * len(sizes) + number + 1)
    events.finished(task)
    return rows, notes


def best_rates(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The best sustained rate of each format."""
    best: dict[str, float] = {}
    for row in rows:
        best[row["dtype"]] = max(best.get(row["dtype"], 0.0), row["flops_per_s"])
    return best


def _figure(device: Device, name: str, shape: Shape, budget_s: float) -> Any:
    with _precision(name):
        return repeat(sample_of(device, product(device.name, name, shape)), budget_s=budget_s)


def product(device: str, name: str, shape: Shape) -> Callable[[], object]:
    """The call that is timed. Its result lies in memory that was touched before: no call allocates."""
    kind = FORMATS[name]
    m, n, k = shape
    if name == "int8":
        x, weight = (torch.randint(-8, 8, size, dtype=kind, device=device) for size in ((m, k), (n, k)))
        sums = torch.zeros(m, n, dtype=torch.int32, device=device)
        return lambda: torch._int_mm(x, weight.t(), out=sums)
    x, weight = (torch.randn(size, device=device).to(kind) for size in ((m, k), (n, k)))
    if name == "fp8":
        scale = torch.ones((), device=device)
        out = torch.zeros(m, n, dtype=torch.bfloat16, device=device)
        return lambda: torch._scaled_mm(x, weight.t(), scale, scale, out_dtype=torch.bfloat16, out=out)
    out = torch.zeros(m, n, dtype=kind, device=device)
    return lambda: torch.mm(x, weight.t(), out=out)


@contextmanager
def _precision(name: str) -> Iterator[None]:
    """fp32 means all its bits, and tf32 the tensor cores' rounding of it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if name == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _words(shape: Shape) -> str:
    return f"{shape.m} x {shape.n} x {shape.k}"
