"""Everything that this machine does, measured part by part and written down as a benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from aictl.artifacts.benchmark import Benchmark
from aictl.core.errors import BadRequest
from aictl.core.events import Events, silent
from aictl.hw.bench import charts, collectives, copies, disk, gemm, memory, operators, others, ranks, runtime, sheet
from aictl.hw.bench.devices import Device, devices, torch_threads
from aictl.hw.bench.spec import BenchSpec
from aictl.measure import plot


def bench(folder: Path, spec: BenchSpec, place: Path, events: Events = silent) -> Benchmark:
    """Measure, and write ``benchmark.json`` and its charts into ``folder``; ``place`` is the folder whose disk is
    meant."""
    facts = measure(spec, place, events)
    Benchmark.write(folder, facts)
    for device in facts["devices"]:
        if chart := charts.roofline(device):
            plot.save(chart, folder / f"roofline-{device['name'].replace(':', '')}.svg")
    if facts["collectives"]:
        plot.save(charts.collectives(facts["collectives"]), folder / "collectives.svg")
    return Benchmark(folder, metrics=_numbers(facts), summary=_summary(facts))


def measure(spec: BenchSpec, place: Path, events: Events = silent) -> dict[str, Any]:
    """The benchmark as a document. What could not be measured is in its ``notes``."""
    if not dist.is_available() and "collectives" in spec.only:
        raise BadRequest("this torch was built without torch.distributed, so it has no collectives")
    everything = devices([], spec.threads, spec.memory_share)
    chosen = devices(spec.devices, spec.threads, spec.memory_share)
    folder = spec.folder or place
    if "disk" in spec.parts:
        disk.require_room(folder, spec.disk_bytes)  # known before a minute is spent on the rest
    began = others.now()
    notes: list[str] = []
    facts: dict[str, Any] = {
        "machine": _machine(everything),
        "devices": [],
        "disk": [],
        "collectives": [],
        "data_sheet": [],
        "how": _how(spec, everything[0].threads),
        "notes": notes,
    }
    with ExitStack() as held:
        join = held.enter_context(_joined(spec)) if "collectives" in spec.parts else None
        peaks = {}
        for device in chosen:
            peers = [one.name for one in everything if one.name != device.name and not one.is_cpu]
            facts["devices"].append(_device(device, peers, spec, notes, events))
            peaks[device.name] = (
                sheet.processor(threads=device.threads) if device.is_cpu else sheet.accelerator(device.model or "")
            )
        if "disk" in spec.parts:
            facts["disk"], more = disk.measure(folder, spec.disk_bytes, budget_s=spec.seconds, events=events)
            notes += more
        if join:
            facts["collectives"] = join(everything, events)
    facts["data_sheet"] = sheet.rows(facts["devices"], peaks)
    meanwhile = others.share(began, others.now())
    facts["how"]["others_cpu_share"] = meanwhile[0] if meanwhile else None
    notes += others.notes(meanwhile)
    return facts


def _device(device: Device, peers: list[str], spec: BenchSpec, notes: list[str], events: Events) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": device.name,
        "model": device.model,
        "memory_bytes": device.memory_bytes,
        "threads": device.threads or None,
        "memory_bytes_per_s": None,
        "flops_per_s": {},
        "gemm": [],
        "bandwidth": [],
        "operator_overhead_s": None,
        "attention": [],
        "cross_entropy": [],
        "runtime_bytes": {},
        "copies": [],
    }
    with torch_threads(device.threads or torch.get_num_threads()):
        if "gemm" in spec.parts:
            found["gemm"], more = gemm.measure(device, budget_s=spec.seconds, quick=spec.quick, events=events)
            found["flops_per_s"] = gemm.best_rates(found["gemm"])
            notes += more
        if "operators" in spec.parts:
            rates, more = operators.measure(device, budget_s=spec.seconds, events=events)
            found |= rates
            notes += more
        if "memory" in spec.parts:
            found["runtime_bytes"] = runtime.measure(device)
            found["bandwidth"], more = memory.measure(device, budget_s=spec.seconds, quick=spec.quick, events=events)
            found["memory_bytes_per_s"] = memory.sustained(found["bandwidth"])
            notes += more
        if "copies" in spec.parts:
            found["copies"] = copies.measure(device, peers, budget_s=spec.seconds, quick=spec.quick, events=events)
    return found


@contextmanager
def _joined(spec: BenchSpec) -> Iterator[Any]:
    """What measures the collectives: with a launcher, the others are joined at once, before anything else is
    measured; without one, they are started when it is their turn."""
    place = ranks.launch()

    def led(joined: ranks.Joined, everything: list[Device], events: Events) -> list[dict[str, Any]]:
        own = next(one for one in everything if one.name == joined.device)
        with ranks.formed(joined, spec.join_timeout_s) as member:
            # A GPU's memory is each member's own; a host's is shared by all of them.
            usable = own.usable_bytes * (1 if own.is_cpu else joined.ranks)
            return collectives.measure(
                member, joined.backend, budget_s=spec.seconds, usable_bytes=usable, quick=spec.quick, events=events
            )

    def here(everything: list[Device], events: Events) -> list[dict[str, Any]]:
        gpus = len(everything) - 1
        groups = [("gloo", spec.ranks)] + ([("nccl", gpus)] if gpus > 1 and dist.is_nccl_available() else [])
        rows = []
        for backend, size in groups:
            threads = max(1, everything[0].threads // size)
            with ranks.started(size, backend, spec.join_timeout_s, threads) as joined, torch_threads(threads):
                rows += led(joined, everything, events)
        return rows

    if place is None:
        yield here
        return
    with ranks.launched(place, spec.join_timeout_s) as joined:
        yield lambda everything, events: led(joined, everything, events)


def _machine(found: list[Device]) -> dict[str, Any]:
    return {
        "cpu_model": found[0].model,
        "threads": found[0].threads,
        "memory_bytes": found[0].memory_bytes,
        "accelerators": [
            {"name": one.model, "device": one.name, "memory_bytes": one.memory_bytes} for one in found[1:]
        ],
    }


def _how(spec: BenchSpec, threads: int) -> dict[str, Any]:
    """What a reader needs to hold these figures beside others."""
    return {
        "torch": torch.__version__,
        "threads": threads,
        "budget_s": spec.seconds,
        "spread": "half the 95 % confidence interval of the median, over the median",
        "memory": "bytes as STREAM counts them, float64, arrays of 4 times the last-level cache",
        "collectives": "sizes and bus bandwidth as nccl-tests counts them",
    }


def _numbers(facts: dict[str, Any]) -> dict[str, Any]:
    """What two benchmarks are compared by."""
    return {
        "flops_per_s": {device["name"]: device["flops_per_s"] for device in facts["devices"] if device["flops_per_s"]},
        "memory_bytes_per_s": {
            device["name"]: device["memory_bytes_per_s"] for device in facts["devices"] if device["memory_bytes_per_s"]
        },
        "disk_bytes_per_s": {
            f"{row['pattern']}_{row['access']}_{row['mode']}": row["bytes_per_s"]
            for row in facts["disk"]
            if row["depth"] == 1
        },
        "bus_bytes_per_s": {
            name: max(row["bus_bytes_per_s"] for row in facts["collectives"] if row["operation"] == name)
            for name in dict.fromkeys(row["operation"] for row in facts["collectives"])
        },
    }


def _summary(facts: dict[str, Any]) -> str:
    parts = []
    for device in facts["devices"]:
        best = max(device["flops_per_s"].items(), key=lambda item: item[1], default=None)
        said = [f"{best[1] / 1e9:,.0f} GFLOP/s {best[0]}"] if best else []
        if device["memory_bytes_per_s"]:
            said.append(f"{device['memory_bytes_per_s'] / 1e9:,.1f} GB/s")
        if said:
            parts.append(f"{device['name']} {', '.join(said)}")
    parts += [f"{len(facts[name])} figures of {name}" for name in ("disk", "collectives") if facts[name]]
    return "; ".join(parts) or "nothing was measured"
