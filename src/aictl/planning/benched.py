"""An accelerator made of what ``hw bench`` measured: nothing of it is from a data sheet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aictl.core.errors import BadInput
from aictl.planning.catalogue import FORMATS, Accelerator, Link

CURE = "make it with `aictl hw bench`"


def benched(values: Mapping[str, Any], where: str) -> tuple[Accelerator, int]:
    """The accelerator in a benchmark's values, and how many of it there are: the GPUs where there are
    any, else the processor. ``where`` is what errors call the values."""
    devices = values.get("devices")
    if not isinstance(devices, list) or not devices or not all(isinstance(one, Mapping) for one in devices):
        raise BadInput(f"{where} measured no devices", cure=CURE)
    others = [one for one in devices if str(one.get("name")) != "cpu"]
    chosen = (others or devices)[0]
    name = str(chosen.get("name"))
    rates = chosen.get("flops_per_s")
    if not isinstance(rates, Mapping) or not rates:
        raise BadInput(f"{where}: device {name} has no flops_per_s", cure=CURE)
    peaks = tuple((one, _positive(rates[one], f"flops_per_s.{one}", where)) for one in FORMATS if rates.get(one))
    machine = values.get("machine") or {}
    about = str(machine.get("cpu_model") or "this machine") if name == "cpu" else _gpu_name(machine, name)
    link = _link(values, len(others) or 1)
    return (
        Accelerator(
            key="here",
            name=about,
            generation="cpu" if name == "cpu" else "benched",
            flops_per_s=peaks,
            memory_bytes=_positive(chosen.get("memory_bytes"), "memory_bytes", where),
            memory_bytes_per_s=_positive(chosen.get("memory_bytes_per_s"), "memory_bytes_per_s", where),
            link=link,
            network=link,
            per_node=len(others) or 1,
            reach=len(others) or 1,
            matmul_fraction=1.0,
            matmul_fraction_how="measured here",
            memory_fraction=1.0,
            product_rates=_curves(chosen),
            operator_s=float(chosen.get("operator_overhead_s") or 0.0),
            runtime_bytes=chosen.get("runtime_bytes"),
            sources=("measured by aictl hw bench",),
        ),
        len(others) or 1,
    )


def _positive(value: Any, name: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e30:
        raise BadInput(f"{where}: {name} is {value!r}, and a positive number is expected", cure=CURE)
    return float(value)


def _gpu_name(machine: Mapping[str, Any], name: str) -> str:
    listed = machine.get("accelerators") or []
    first = listed[0] if listed else name
    return str(first.get("name", name)) if isinstance(first, Mapping) else str(first)


def _curves(device: Mapping[str, Any]) -> tuple[tuple[str, tuple[tuple[float, float], ...]], ...]:
    """For each number format, operations of a matrix product against operations/s, small to large: the
    best where several shapes have one size."""
    curves: dict[str, dict[float, float]] = {}
    for row in device.get("gemm") or []:
        size = 2.0 * float(row.get("m", 0)) * float(row.get("n", 0)) * float(row.get("k", 0))
        rate = float(row.get("flops_per_s") or 0.0)
        if size > 0 and rate > 0:
            curve = curves.setdefault(str(row.get("dtype")), {})
            curve[size] = max(rate, curve.get(size, 0.0))
    return tuple((name, tuple(sorted(curve.items()))) for name, curve in curves.items())


def _link(values: Mapping[str, Any], ranks: int) -> Link:
    """The bus that the largest measured all-reduce reached; one device needs none."""
    rows = [one for one in values.get("collectives") or [] if one.get("operation") == "all_reduce"]
    if not rows:
        return Link("unmeasured", 1e9 if ranks > 1 else 1e12, 1.0, 50e-6)
    largest = max(rows, key=lambda one: one.get("bytes", 0))
    return Link(f"{largest.get('backend')} here", float(largest["bus_bytes_per_s"]), 1.0, 50e-6)
