"""The pictures of a benchmark: a roofline for every device, and the collectives."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from aictl.hw.bench.gemm import FORMATS, Shape
from aictl.measure.plot import Chart, Series

WIDTH = {"fp32": 4, "tf32": 4, "bf16": 2, "fp16": 2, "fp8": 1, "int8": 1}  # bytes of an element
RESULT = {"fp8": 2, "int8": 4}  # bytes of an element of the result, where it is wider
INTENSITIES = [2**power for power in range(-4, 13)]


def roofline(device: Mapping[str, Any]) -> Chart | None:
    """Rate against operations per byte: the roofs that memory and each number format set, as measured, and
    every matrix product below them (Williams, Waterman and Patterson, CACM 52(4), 2009)."""
    rates, bandwidth = device.get("flops_per_s"), device.get("memory_bytes_per_s")
    if not rates or not bandwidth:
        return None
    series = []
    for name, rate in rates.items():
        colour = list(FORMATS).index(name)
        ridge = rate / bandwidth
        points = sorted([*INTENSITIES, ridge])
        roof = [min(rate, bandwidth * intensity) / 1e9 for intensity in points]
        series.append(Series(f"{name}: {rate / 1e9:,.0f} GFLOP/s", points, roof, "line", colour))
        rows = [row for row in device["gemm"] if row["dtype"] == name]
        reached = [row["flops_per_s"] / 1e9 for row in rows]
        series.append(Series("", [intensity_of(row) for row in rows], reached, "points", colour))
    return Chart(
        f"Roofline of {device['name']}",
        "operations per byte of memory traffic",
        "GFLOP/s",
        series,
        x_log=True,
        y_log=True,
        note=f"slope: {bandwidth / 1e9:,.1f} GB/s from memory; points: matrix products, above it from cache",
    )


def intensity_of(row: Mapping[str, Any]) -> float:
    """Operations per byte of a product that reads its two operands and writes its result once."""
    shape = Shape(row["m"], row["n"], row["k"])
    width = WIDTH[row["dtype"]]
    read = (shape.m * shape.k + shape.n * shape.k) * width
    return shape.operations / (read + shape.m * shape.n * RESULT.get(row["dtype"], width))


def collectives(rows: list[dict[str, Any]]) -> list[Chart]:
    """Bus bandwidth and time against message size, a line for each operation."""
    latency, bandwidth = [], []
    for (operation, backend), group in groupby(rows, key=lambda row: (row["operation"], row["backend"])):
        found = list(group)
        name = operation.replace("_", "-") + (f" ({backend})" if len({row["backend"] for row in rows}) > 1 else "")
        sizes = [row["bytes"] for row in found]
        bandwidth.append(Series(name, sizes, [row["bus_bytes_per_s"] / 1e9 for row in found]))
        latency.append(Series(name, sizes, [row["seconds"] * 1e6 for row in found]))
    where = f"{rows[0]['ranks']} processes, {rows[0]['backend']}"
    note = "bus bandwidth as nccl-tests counts it"
    return [
        Chart(f"Bus bandwidth, {where}", "message size", "GB/s", bandwidth, True, True, True, note),
        Chart("Time of one operation", "message size", "µs", latency, True, True, True),
    ]
