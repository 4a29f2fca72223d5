"""An accelerator made of what ``hw bench`` measured: nothing of it is from a data sheet."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from aictl.core.errors import BadInput
from aictl.planning.catalogue import FORMATS, Accelerator, Link
from aictl.planning.measured import Curve, Measured, Rates

CURE = "measure it again with `aictl hw bench`, matrix products and memory at least"


def benched(values: Mapping[str, Any], where: str) -> tuple[Accelerator, int]:
    """The accelerator in a benchmark's values, and how many of it there are: the GPUs where there are
    any, else the processor. ``where`` is what errors call the values."""
    devices = _rows(values, "devices", where)
    if not devices:
        raise BadInput(f"{where} measured no devices", cure=CURE)
    others = [one for one in devices if str(one.get("name")) != "cpu"]
    chosen = (others or devices)[0]
    name = str(chosen.get("name"))
    rates = chosen.get("flops_per_s")
    if not isinstance(rates, Mapping) or not rates:
        raise BadInput(f"{where}: device {name} has no flops_per_s", cure=CURE)
    peaks = tuple((one, _positive(rates[one], f"flops_per_s.{one}", where)) for one in FORMATS if rates.get(one))
    if not peaks:
        raise BadInput(f"{where}: device {name} has flops_per_s of none of {', '.join(FORMATS)}", cure=CURE)
    machine = values.get("machine") or {}
    if not isinstance(machine, Mapping):
        raise BadInput(f"{where}: machine is {machine!r}, and an object is expected", cure=CURE)
    about = str(machine.get("cpu_model") or "this machine") if name == "cpu" else _gpu_name(machine, name)
    link = _link(_rows(values, "collectives", where), len(others) or 1, where)
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
            measured=_measured(chosen, where),
            sources=("measured by aictl hw bench",),
        ),
        len(others) or 1,
    )


def _rows(values: Mapping[str, Any], name: str, where: str) -> list[Mapping[str, Any]]:
    """A list of objects; none where there is no such list."""
    rows = values.get(name)
    if rows is None:
        return []
    if not isinstance(rows, list) or not all(isinstance(one, Mapping) for one in rows):
        raise BadInput(f"{where}: {name} is no list of objects", cure=CURE)
    return rows


def _known(values: Mapping[str, Any], name: str, where: str) -> float | None:
    """A figure that may be absent, or nothing."""
    return _positive(values[name], name, where) if values.get(name) is not None else None


def _positive(value: Any, name: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1e-12 < value < 1e30:
        raise BadInput(f"{where}: {name} is {value!r}, and a positive number is expected", cure=CURE)
    return float(value)


def _gpu_name(machine: Mapping[str, Any], name: str) -> str:
    listed = machine.get("accelerators") or []
    first = listed[0] if listed else name
    return str(first.get("name", name)) if isinstance(first, Mapping) else str(first)


def _measured(device: Mapping[str, Any], where: str) -> Measured:
    passes = _rows(device, "attention", where)
    losses = _rows(device, "cross_entropy", where)
    parts = {
        "products": _curves(_rows(device, "gemm", where), ("m", "n", "k"), "flops_per_s", f"{where}: gemm", times=2),
        "loss": _curves(losses, ("tokens", "vocabulary"), "logits_per_s", f"{where}: cross_entropy"),
    }
    for name, its in (("attention", "forward"), ("attention_backward", "backward")):
        rows = [one for one in passes if one.get("pass") == its]
        parts[name] = _curves(rows, ("sequence_length",), "flops_per_s", f"{where}: attention")
    runtimes = device.get("runtime_bytes") or {}
    if not isinstance(runtimes, Mapping):
        raise BadInput(f"{where}: runtime_bytes is {runtimes!r}, and an object is expected", cure=CURE)
    return Measured(
        rates={
            one: Rates(**{name: curves.get(one, ()) for name, curves in parts.items()})
            for one in dict.fromkeys(name for curves in parts.values() for name in curves)
        },
        operator_s=_known(device, "operator_overhead_s", where) or 0.0,
        runtime_bytes={str(name): _positive(size, f"runtime_bytes.{name}", where) for name, size in runtimes.items()},
    )


def _curves(
    rows: list[Mapping[str, Any]], sizes: tuple[str, ...], rate: str, where: str, *, times: float = 1
) -> dict[str, Curve]:
    """For each number format, the product of a row's ``sizes`` against its rate, small to large: the best
    where several rows have one size."""
    curves: dict[str, dict[float, float]] = {}
    for row in rows:
        *factors, reached = (_positive(row.get(name), name, where) for name in (*sizes, rate))
        curve = curves.setdefault(str(row.get("dtype")), {})
        size = times * prod(factors)
        curve[size] = max(reached, curve.get(size, 0.0))
    return {name: tuple(sorted(curve.items())) for name, curve in curves.items()}


def _link(collectives: list[Mapping[str, Any]], ranks: int, where: str) -> Link:
    """The bus that the largest measured all-reduce reached; one device needs none."""
    rows = [one for one in collectives if one.get("operation") == "all_reduce"]
    if not rows:
        return Link("unmeasured", 1e9 if ranks > 1 else 1e12, 1.0, 50e-6)
    largest = max(rows, key=lambda one: _positive(one.get("bytes"), "collectives.bytes", where))
    reached = _positive(largest.get("bus_bytes_per_s"), "collectives.bus_bytes_per_s", where)
    return Link(f"{largest.get('backend')} here", reached, 1.0, 50e-6)
