"""evaluation: what a model came to on a dataset, how sure that is, and whether another model differs.

Files: ``evaluation.json``, ``index.html`` to read in a browser, ``documents.jsonl`` with what the model came to on
each document, and ``compared.jsonl`` with the same of the model that it was compared with. In the document:

- ``model``, ``compared`` (null without one) and ``dataset``: ``{"label", "kind", "id"}``;
- ``task``, ``split``, ``documents`` that were evaluated ``of`` those that could be, ``seed``, ``resamples`` and
  ``confidence``;
- ``measures``: ``{"name", "value", "low", "high", "lower_is_better"}``, and with a comparison ``"other"`` and
  ``"difference": {"value", "low", "high", "p_value", "is_real"}`` or, where the two mean different things, null;
- ``gates``: ``{"gate", "name", "value", "bound", "passed"}``;
- ``details`` by the task, such as ``classes`` and ``bands``; ``notes`` for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aictl.artifacts.report import Report
from aictl.core.answer import Answer, Document, Section, Table
from aictl.core.errors import Damaged

DOCUMENTS, COMPARED, PAGE = "documents.jsonl", "compared.jsonl", "index.html"
_PARTS = ("model", "dataset", "task", "measures", "gates", "documents", "confidence")
_GATE_MISSED = 1
_CLASSES = 30  # that are named on a terminal
_STYLES = {"verdict": {"better": "green", "worse": "red"}, "gate": {"passed": "green", "missed": "red"}}


class Evaluation(Report):
    """The measures of one model on one dataset."""

    kind = "evaluation"
    about = "what a model came to on a dataset, with intervals"

    @property
    def page_path(self) -> Path:
        return self.folder / PAGE

    def lacking(self, facts: Mapping[str, Any]) -> str | None:
        absent = [name for name in _PARTS if name not in facts]
        if absent:
            return f"it lacks {', '.join(absent)}"
        whole = all(isinstance(one["value"], int | float) and one["name"] for one in facts["measures"])
        return None if whole else "a measure has no value"

    def check(self) -> None:
        super().check()
        for name in (DOCUMENTS, PAGE):
            if not (self.folder / name).is_file():
                raise Damaged(f"{self.folder / name} is not there")

    @property
    def exit_code(self) -> int:
        """1 when a gate was missed."""
        return _GATE_MISSED if self.missed() else 0

    def missed(self) -> list[str]:
        """The gates that were missed."""
        return [one["gate"] for one in self.facts["gates"] if not one["passed"]]

    def values(self) -> dict[str, float]:
        """Every measure by its name."""
        return {one["name"]: one["value"] for one in self.facts["measures"]}

    def in_a_line(self) -> str:
        first = self.facts["measures"][:3]
        told = ", ".join(f"{one['name']} {number(one['value'])}" for one in first)
        return told + (f"; missed {', '.join(self.missed())}" if self.missed() else "")

    def answer(self) -> Answer:
        facts = self.facts
        sections = [
            Section(_title(facts), _shown(facts)),
            Section("Classes", _classes(facts.get("details", {}).get("classes", ()))),
            Section("Gates", _gates(facts["gates"])),
            Section("", {str(at): note for at, note in enumerate(facts.get("notes", ()), 1)}),
        ]
        columns = ("measure", "value", "low", "high", "other", "difference", "difference_low", "difference_high", "p")
        table = Table(columns, [_row(one) for one in facts["measures"]])
        value = {**facts, "exit_code": self.exit_code}
        return Document(value, sections=[one for one in sections if _has_any(one)], table=table)


def number(value: float | None) -> str:
    """Four digits, as far as a measure of some documents is known; nothing where there is none."""
    return "" if value is None else f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def verdict(measure: Mapping[str, Any]) -> str:
    """What a difference comes to in a word: ``better``, ``worse`` or ``no real difference``."""
    difference = measure.get("difference")
    if difference is None:
        return "not comparable"
    if not difference["is_real"]:
        return "no real difference"
    return "better" if (difference["value"] > 0) != measure["lower_is_better"] else "worse"


def interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"


def _title(facts: Mapping[str, Any]) -> str:
    some = f"{facts['documents']:,} of {facts['of']:,}" if facts["documents"] < facts["of"] else f"{facts['of']:,}"
    against = f" against {facts['compared']['label']}" if facts.get("compared") else ""
    where = f"{facts['dataset']['label']} ({facts['split']})"
    return f"{facts['model']['label']}{against} on {some} documents of {where}"


def _shown(facts: Mapping[str, Any]) -> Table:
    columns = ["measure", "value", f"{100 * facts['confidence']:.4g}% interval"]
    rows = [[one["name"], number(one["value"]), interval(one["low"], one["high"])] for one in facts["measures"]]
    if not facts.get("compared"):
        return Table(columns, rows)
    for row, one in zip(rows, facts["measures"], strict=True):
        difference = one["difference"] or {}
        row += [number(one["other"]), _signed(difference.get("value"))]
        row += [interval(difference.get("low"), difference.get("high")), number(difference.get("p_value"))]
        row += [verdict(one)]
    return Table([*columns, "other", "difference", "its interval", "p", "verdict"], rows, _STYLES)


def _signed(value: float | None) -> str:
    return "" if value is None else ("+" if value > 0 else "") + number(value)


def _classes(classes: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [one["name"], one["documents"], number(one["precision"]), number(one["recall"]), number(one["f1"])]
        for one in sorted(classes, key=lambda one: -one["documents"])[:_CLASSES]
    ]
    return Table(["class", "documents", "precision", "recall", "F1"], rows)


def _gates(gates: Sequence[Mapping[str, Any]]) -> Table:
    rows = [["passed" if one["passed"] else "missed", one["gate"], number(one["value"])] for one in gates]
    return Table(["gate", "asked for", "value"], rows, _STYLES)


def _has_any(section: Section) -> bool:
    return bool(section.content.rows) if isinstance(section.content, Table) else bool(section.content)


def _row(one: Mapping[str, Any]) -> list[Any]:
    difference = one.get("difference") or {}
    found = [one["name"], one["value"], one["low"], one["high"], one.get("other")]
    return found + [difference.get(name) for name in ("value", "low", "high", "p_value")]
