"""front: the models that were made of one and are each better than the others at something.

Files: ``front.json``, ``plot.svg`` where matplotlib is installed, and in ``models/NAME`` each model of the front, as an
onnx artifact has it. In the document:

- ``task``, ``parent`` and ``dataset`` (labels), ``split``, ``documents``, ``measure``, ``is_relative`` (of its loss);
- ``target`` (``latency``, ``size`` or ``throughput``), ``accepted``: the loss that is, and ``chosen``: the name of the
  best for the target that loses no more;
- ``models``: first the parent, whose name is null, then whatever was tried: ``{"name", "options", "outcome", "why",
  "documents", "value", "loss", "low", "high", "size_bytes", "cpu_s", "per_s", "memory_bytes", "latency", "speedup",
  "rounding"}``. ``outcome`` is ``parent``, ``front``, ``beaten`` (another is at least as good in everything), ``lost``
  (more than is accepted, so that it was left) or ``failed``; ``why`` says more. ``value`` is the measure and ``loss``
  what it is beside the parent's, with its 95% interval, on so many ``documents``: on fewer where it was left early.
  ``cpu_s`` is of a token or an input, ``per_s`` how many of them a second together; the rest is as in a comparison.
  What was not measured is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aictl.artifacts.comparison import milliseconds
from aictl.artifacts.onnx import OnnxModel
from aictl.artifacts.quantity import change, size
from aictl.artifacts.report import Report
from aictl.core.answer import Answer, Document, Section, Table
from aictl.core.errors import NotFound

MODELS = "models"
_PARTS = ("task", "parent", "dataset", "measure", "is_relative", "target", "accepted", "chosen", "models")
_COLOURS = {"chosen": "green", "front": "cyan", "lost": "yellow", "failed": "red"}


class Front(Report):
    """Size, speed and quality of some models, and those of them that no other beats in all three."""

    kind = "front"
    about = "the best that a model was made into, by size, speed and quality"

    @property
    def names(self) -> list[str]:
        """The models of the front, best for the target first among those that are accepted."""
        return [one["name"] for one in self.facts["models"] if one["outcome"] == "front"]

    def entry(self, name: str) -> dict[str, Any]:
        """What is known of a model of the front. Raises :class:`NotFound`."""
        if name not in self.names:
            raise NotFound(f"front '{self.label}' has no model '{name}'", cure=f"there are {', '.join(self.names)}")
        return next(one for one in self.facts["models"] if one["name"] == name)

    def model(self, name: str) -> OnnxModel:
        """A model of the front. Raises :class:`NotFound`."""
        self.entry(name)
        return OnnxModel(self.folder / MODELS / name, name=name)

    def lacking(self, facts: Mapping[str, Any]) -> str | None:
        absent = [name for name in _PARTS if name not in facts]
        if absent:
            return f"it lacks {', '.join(absent)}"
        front = [one["name"] for one in facts["models"] if one["outcome"] == "front"]
        return None if facts["chosen"] in front else "what was chosen is not on it"

    def check(self) -> None:
        super().check()
        for name in self.names:
            self.model(name).check()

    def in_a_line(self) -> str:
        best = self.entry(self.facts["chosen"])
        return f"{len(self.names)} of {len(self.facts['models']) - 1}, {best['name']} {told(self.facts, best)}"

    def answer(self) -> Answer:
        facts = self.facts
        title = f"{facts['task']} '{facts['parent']}', judged on {facts['dataset']}, by {facts['target']}"
        columns = [
            "model",
            facts["measure"],
            "loss",
            "95%",
            "on",
            "size",
            "CPU time",
            "together",
            "times as fast",
            "outcome",
        ]
        rows = [_row(facts, one) for one in facts["models"]]
        shown = Table(columns, rows, styles={"outcome": _COLOURS}, spare=("95%", "together", "on"))
        return Document(facts, sections=[Section(title, shown)], table=shown)


def told(facts: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    """A model's figures in a few words."""
    changed = change(facts["measure"], one["loss"], is_relative=facts["is_relative"])
    return f"{size(one['size_bytes'])}, {one['speedup']['ratio']:.2g}x as fast, {changed}"


def _row(facts: Mapping[str, Any], one: Mapping[str, Any]) -> list[str]:
    gained = one["speedup"]
    outcome = "chosen" if one["name"] == facts["chosen"] else one["outcome"]
    return [
        one["name"] or facts["parent"],
        "" if one["value"] is None else f"{one['value']:.4g}",
        "" if one["loss"] is None else _share(facts, one["loss"]),
        "" if one["low"] is None else f"{_share(facts, one['low'])} to {_share(facts, one['high'])}",
        "" if one["documents"] is None else f"{one['documents']:,}",
        "" if one["size_bytes"] is None else size(one["size_bytes"]),
        "" if one["cpu_s"] is None else milliseconds(one["cpu_s"]),
        "" if one["per_s"] is None else f"{one['per_s']:.4g}/s",
        "" if gained is None else f"{gained['ratio']:.2f} ({gained['low']:.2f} to {gained['high']:.2f})",
        f"{outcome}: {one['why']}" if one["why"] else outcome,
    ]


def _share(facts: Mapping[str, Any], loss: float) -> str:
    return f"{loss:+.1%}" if facts["is_relative"] else f"{100 * loss:+.2g} points"
