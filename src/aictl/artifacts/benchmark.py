"""benchmark: what a machine does, measured at one moment. Files: ``benchmark.json``, and its charts as SVG.

Every figure has its ``spread``: half the 95 % confidence interval of the median over the median, or null where
there were too few repeats to know. ``devices`` have the curve of matrix products by number format, the
bandwidth from the caches to memory, attention and the loss, the cost of one operator, and what a process
takes by the runtime it loads; ``disk``, ``collectives`` and
``data_sheet`` are of the machine; ``notes`` say what could not be measured and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from aictl.artifacts.quantity import size
from aictl.artifacts.report import Report
from aictl.core.answer import Answer, Document, Section, Table

PARTS = ("machine", "devices", "disk", "collectives", "data_sheet")


class Benchmark(Report):
    """The measured rates of one machine."""

    kind = "benchmark"
    about = "what a machine does: matrix products, memory, copies, disk, collectives"

    def lacking(self, facts: Mapping[str, Any]) -> str | None:
        absent = [name for name in PARTS if name not in facts]
        return f"it lacks {', '.join(absent)}" if absent else None

    def answer(self) -> Answer:
        facts = self.facts
        columns = ("part", "device", "what", "value", "unit", "spread")
        return Document(facts, sections=list(_sections(facts)), table=Table(columns, list(_rows(facts))))


# For a person


def _sections(facts: Mapping[str, Any]) -> Iterator[Section]:
    for device in facts["devices"]:
        yield from _device(device)
    if facts["disk"]:
        first = facts["disk"][0]
        yield Section(
            f"Disk: {first['path']} ({first['filesystem'] or 'unknown file system'})",
            Table(
                ["pattern", "access", "mode", "block", "in flight", "MB/s", "operations/s", "±"],
                [
                    [
                        row["pattern"],
                        row["access"],
                        row["mode"],
                        size(row["block_bytes"]),
                        row["depth"],
                        _number(row["bytes_per_s"] / 1e6),
                        _number(row["operations_per_s"]),
                        _percent(row["spread"]),
                    ]
                    for row in facts["disk"]
                ],
            ),
        )
    for backend in dict.fromkeys(row["backend"] for row in facts["collectives"]):
        yield _collectives(backend, [row for row in facts["collectives"] if row["backend"] == backend])
    if facts["data_sheet"]:
        yield Section(
            "Beside the data sheet",
            Table(
                ["device", "what", "measured", "data sheet", "reached", "source"],
                [[row["device"], row["what"], *_beside(row), row["source"]] for row in facts["data_sheet"]],
            ),
        )
    if facts.get("notes"):
        yield Section("Notes", {str(number + 1): note for number, note in enumerate(facts["notes"])})


def _device(device: Mapping[str, Any]) -> Iterator[Section]:
    title = f"{device['name']}: {device.get('model') or 'unknown model'}"
    if device["gemm"]:
        formats = list(dict.fromkeys(row["dtype"] for row in device["gemm"]))
        shapes = dict.fromkeys((row["m"], row["n"], row["k"]) for row in device["gemm"])
        found = {(row["dtype"], row["m"], row["n"], row["k"]): row for row in device["gemm"]}
        yield Section(
            f"{title}, matrix products in GFLOP/s",
            Table(
                ["m x n x k", *formats],
                [
                    [" x ".join(map(str, shape)), *(_rate(found.get((name, *shape))) for name in formats)]
                    for shape in sorted(shapes, key=lambda one: (one[0] * one[1] * one[2], one))
                ],
            ),
        )
    if device["attention"]:
        yield Section(f"{title}, attention in GFLOP/s (counted in full)", _attention(device["attention"]))
    if device["cross_entropy"]:
        yield Section(f"{title}, loss in million logits/s, there and back", _losses(device["cross_entropy"]))
    beside = {}
    if device["operator_overhead_s"] is not None:
        beside["one operator"] = f"{device['operator_overhead_s'] * 1e6:.1f} µs besides its work"
    for name, held in device["runtime_bytes"].items():
        beside[f"a process with {name}"] = f"{size(held)} before there is a model"
    if beside:
        yield Section("", beside)
    if device["bandwidth"]:
        stream = [row for row in device["bandwidth"] if row["main_memory"]]
        curve = [row for row in device["bandwidth"] if not row["main_memory"]]
        yield Section(
            f"{title}, main memory in GB/s", _bandwidths("threads", stream, lambda row: row["threads"] or "all")
        )
        yield Section(
            f"{title}, from cache to memory in GB/s",
            _bandwidths("working set", curve, lambda row: size(row["working_set_bytes"])),
        )
    if device["copies"]:
        yield Section(
            f"{title}, copies",
            Table(
                ["from", "to", "memory", "size", "GB/s", "±"],
                [
                    [
                        row["from"],
                        row["to"],
                        row["memory"],
                        size(row["bytes"]),
                        _number(row["bytes_per_s"] / 1e9),
                        _percent(row["spread"]),
                    ]
                    for row in device["copies"]
                ],
            ),
        )


def _attention(rows: list[Mapping[str, Any]]) -> Table:
    formats = list(dict.fromkeys(row["dtype"] for row in rows))
    found = {(row["sequence_length"], row["dtype"], row["pass"]): row for row in rows}
    columns = [(name, its) for name in formats for its in ("forward", "backward")]
    return Table(
        ["tokens", *(f"{name} {its}" for name, its in columns)],
        [
            [f"{length:,}", *(_rate(found.get((length, *column))) for column in columns)]
            for length in sorted({row["sequence_length"] for row in rows})
        ],
    )


def _losses(rows: list[Mapping[str, Any]]) -> Table:
    formats = list(dict.fromkeys(row["dtype"] for row in rows))
    found = {(row["tokens"], row["vocabulary"], row["dtype"]): row for row in rows}
    sizes = sorted({key[:2] for key in found}, key=lambda one: one[0] * one[1])
    return Table(
        ["tokens x vocabulary", *formats],
        [
            [f"{tokens:,} x {vocabulary:,}", *(_million(found.get((tokens, vocabulary, name))) for name in formats)]
            for tokens, vocabulary in sizes
        ],
    )


def _million(row: Mapping[str, Any] | None) -> str:
    return f"{_number(row['logits_per_s'] / 1e6)} {_percent(row['spread'])}" if row else ""


def _collectives(backend: str, rows: list[Mapping[str, Any]]) -> Section:
    operations = list(dict.fromkeys(row["operation"] for row in rows))
    found = {(row["operation"], row["bytes"]): row for row in rows}
    columns = ["message"]
    for name in operations:
        columns += [f"{name}, µs", "GB/s"]
    return Section(
        f"Collectives of {rows[0]['ranks']} processes over {backend} (bus bandwidth)",
        Table(
            columns,
            [
                [size(count), *(cell for name in operations for cell in _collective(found.get((name, count))))]
                for count in sorted({row["bytes"] for row in rows})
            ],
        ),
    )


def _collective(row: Mapping[str, Any] | None) -> tuple[str, str]:
    if row is None:
        return "", ""
    return f"{_number(row['seconds'] * 1e6)} {_percent(row['spread'])}", _number(row["bus_bytes_per_s"] / 1e9)


def _rate(row: Mapping[str, Any] | None) -> str:
    return f"{_number(row['flops_per_s'] / 1e9)} {_percent(row['spread'])}" if row else ""


def _bandwidths(head: str, rows: list[Mapping[str, Any]], key: Callable[[Mapping[str, Any]], object]) -> Table:
    """A column for each kernel."""
    kernels = dict.fromkeys(row["kernel"] for row in rows)
    found = {
        (key(row), row["kernel"]): f"{_number(row['bytes_per_s'] / 1e9)} {_percent(row['spread'])}" for row in rows
    }
    keys = dict.fromkeys(key(row) for row in rows)
    return Table([head, *kernels], [[one, *(found.get((one, kernel), "") for kernel in kernels)] for one in keys])


def _beside(row: Mapping[str, Any]) -> Iterable[str]:
    unit = "GB/s" if row["what"] == "memory" else "GFLOP/s"
    promised, fraction = row["data_sheet"], row["fraction"]
    yield f"{_number(row['measured'] / 1e9)} {unit}"
    yield f"{_number(promised / 1e9)} {unit}" if promised else "unknown"
    yield f"{fraction:.0%}" if fraction is not None else ""


def _number(value: float) -> str:
    """Three digits, and no more of a number that is not known better."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _percent(spread: float | None) -> str:
    return "±?" if spread is None else f"±{spread:.0%}"


# For a pipe


def _rows(facts: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Every figure on a line of its own, in units without prefixes."""
    for device in facts["devices"]:
        name = device["name"]
        for row in device["gemm"]:
            what = f"{row['dtype']} {row['m']}x{row['n']}x{row['k']}"
            yield ["gemm", name, what, row["flops_per_s"], "FLOP/s", row["spread"]]
        for row in device["bandwidth"]:
            what = f"{row['kernel']} {row['working_set_bytes']} B {row['threads'] or 'all'} threads"
            yield ["memory", name, what, row["bytes_per_s"], "B/s", row["spread"]]
        if device["operator_overhead_s"] is not None:
            yield ["operator", name, "overhead", device["operator_overhead_s"], "s", None]
        for row in device["attention"]:
            what = f"{row['dtype']} {row['pass']} {row['sequence_length']} tokens"
            yield ["attention", name, what, row["flops_per_s"], "FLOP/s", row["spread"]]
        for row in device["cross_entropy"]:
            what = f"{row['dtype']} {row['tokens']}x{row['vocabulary']}"
            yield ["cross_entropy", name, what, row["logits_per_s"], "logits/s", row["spread"]]
        for runtime, held in device["runtime_bytes"].items():
            yield ["runtime", name, runtime, held, "B", None]
        for row in device["copies"]:
            what = f"{row['from']} to {row['to']} {row['memory']} {row['bytes']} B"
            yield ["copies", name, what, row["bytes_per_s"], "B/s", row["spread"]]
    for row in facts["disk"]:
        what = f"{row['pattern']} {row['access']} {row['mode']} {row['block_bytes']} B {row['depth']} in flight"
        yield ["disk", row["path"], what, row["bytes_per_s"], "B/s", row["spread"]]
    for row in facts["collectives"]:
        what = f"{row['operation']} {row['backend']} {row['ranks']} ranks {row['bytes']} B"
        yield ["collectives", row["device"], what, row["seconds"], "s", row["spread"]]
        yield ["collectives", row["device"], f"{what} bus", row["bus_bytes_per_s"], "B/s", row["spread"]]
    for row in facts["data_sheet"]:
        yield ["data_sheet", row["device"], row["what"], row["fraction"], "of the data sheet", None]
