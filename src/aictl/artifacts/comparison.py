"""comparison: how fast some models are beside each other on one machine, in one run.

Files: ``comparison.json`` and ``index.html`` to read in a browser. In the document:

- ``task``, ``dataset`` (its label), ``device``, ``threads``, ``rounds`` that count;
- ``models``: ``{"label", "kind", "id", "size_bytes", "load_s", "memory_bytes", "latency", "throughput", "cpu_s",
  "energy_j", "speedup"}``. ``memory_bytes`` is the most that its process held, null where nobody says. ``latency``
  has for each phase (``first_token`` and ``next_token`` of a language model, ``pass`` of any other) ``{"p50", "p90",
  "p99", "low", "high"}`` in seconds, where low and high are the 95% interval of p50. ``throughput`` is a list of
  ``{"at_once", "per_s"}``, tokens or inputs a second; ``cpu_s`` the CPU time of one, ``energy_j`` its energy, null
  where the machine does not say; ``speedup`` is beside the first model ``{"ratio", "low", "high"}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aictl.artifacts.quantity import size
from aictl.artifacts.report import Report
from aictl.core.answer import Answer, Document, Section, Table
from aictl.core.errors import Damaged

PAGE = "index.html"
_PARTS = ("task", "dataset", "device", "threads", "rounds", "models")
PHASES = {"first_token": "first token", "next_token": "next token", "pass": "pass"}


class Comparison(Report):
    """Latency, throughput, memory and size of some models."""

    kind = "comparison"
    about = "how fast some models are beside each other"

    @property
    def page_path(self) -> Path:
        return self.folder / PAGE

    def lacking(self, facts: Mapping[str, Any]) -> str | None:
        absent = [name for name in _PARTS if name not in facts]
        if absent:
            return f"it lacks {', '.join(absent)}"
        return None if facts["models"] and all(one["latency"] for one in facts["models"]) else "a model was not timed"

    def check(self) -> None:
        super().check()
        if not self.page_path.is_file():
            raise Damaged(f"{self.page_path} is not there")

    def in_a_line(self) -> str:
        return ", ".join(
            f"{one['label']} {milliseconds(next(reversed(one['latency'].values()))['p50'])}"
            for one in self.facts["models"]
        )

    def answer(self) -> Answer:
        facts = self.facts
        threads = (
            f"{facts['threads']} thread{'s' if facts['threads'] > 1 else ''}" if facts["threads"] else "all threads"
        )
        title = f"{facts['task']} on {facts['device']}, {threads}, {facts['rounds']} rounds"
        columns, rows = table(facts)
        throughput = Table(*throughputs(facts))
        return Document(facts, sections=[Section(title, Table(columns, rows)), Section("At once", throughput)])


def table(facts: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows, a model each, as a person reads them."""
    phases = list(facts["models"][0]["latency"])
    columns = ["model", "size", "memory", "load"]
    columns += [f"{PHASES[phase]} {name}" for phase in phases for name in ("p50", "p90", "p99")]
    columns += ["CPU time", *(["energy"] if facts["models"][0]["energy_j"] is not None else []), "times as fast"]
    rows = []
    for one in facts["models"]:
        row = [one["label"], size(one["size_bytes"]), size(one["memory_bytes"]), f"{one['load_s']:.2f} s"]
        row += [milliseconds(one["latency"][phase][name]) for phase in phases for name in ("p50", "p90", "p99")]
        row.append(milliseconds(one["cpu_s"]))
        if one["energy_j"] is not None:
            row.append(f"{1e3 * one['energy_j']:.3g} mJ")
        gained = one["speedup"]
        row.append(f"{gained['ratio']:.2f} ({gained['low']:.2f} to {gained['high']:.2f})")
        rows.append(row)
    return columns, rows


def throughputs(facts: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The same of what is done in a second, by how much is asked at once."""
    unit = "tokens/s" if "next_token" in facts["models"][0]["latency"] else "inputs/s"
    columns = ["model", *(f"{one['at_once']} ({unit})" for one in facts["models"][0]["throughput"])]
    rows = [[one["label"], *(f"{some['per_s']:,.4g}" for some in one["throughput"])] for one in facts["models"]]
    return columns, rows


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
