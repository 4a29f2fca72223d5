"""A model and a dataset become an evaluation: what applies to both is measured, compared and held against gates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.evaluation import COMPARED, DOCUMENTS, PAGE, Evaluation
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import Source
from aictl.core.events import Events
from aictl.evaluate import gates
from aictl.evaluate.choosing import task_for, wanted
from aictl.evaluate.documents import draw
from aictl.evaluate.measuring import measured
from aictl.evaluate.page.page import page
from aictl.evaluate.running import rows_of
from aictl.evaluate.spec import EvaluateSpec
from aictl.evaluate.subject import Subject, subject
from aictl.evaluate.task import Row, Task

Model = Checkpoint | Adapter | OnnxModel | Source

_FEW = 300  # documents, below which chance alone makes up much of a calibration error (docs/decisions/intervals.md)


def evaluate(
    model: Model,
    dataset: Dataset,
    other: Model | None,
    spec: EvaluateSpec,
    folder: Path,
    *,
    scratch: Path,
    events: Events,
) -> Evaluation:
    """Write an evaluation into ``folder``; one of which a gate is missed has the exit code 1.

    Raises :class:`BadRequest`, :class:`BadInput` or :class:`WrongKind` where the model cannot be measured on the
    dataset or by what was asked for, and :class:`WorkFailed` for a model whose measures are not finite.
    """
    asked = gates.read(spec.gate, compared=other is not None)
    subjects = [subject(one) for one in (model, other) if one is not None]
    task = task_for(subjects, dataset, spec, scratch)
    task.wanted = wanted(task, spec.metrics, asked)
    drawn = draw(dataset, spec.split, task.usable, most=spec.most, seed=spec.seed, events=events)
    task.require_fit()
    rows = [
        rows_of(task, number, drawn, called=one.label, path=scratch / f"rows-{number}.jsonl", events=events)
        for number, one in enumerate(subjects)
    ]
    measures = measured(task, rows, spec, events)
    facts = {
        "model": _who(subjects[0]),
        "compared": _who(subjects[1]) if len(subjects) > 1 else None,
        "dataset": {"label": dataset.label, "kind": dataset.kind, "id": dataset.record.id if dataset.record else None},
        "task": task.name,
        "split": spec.split,
        "documents": len(drawn),
        "of": drawn.usable,
        "left_out": drawn.unusable,
        "seed": spec.seed,
        "resamples": spec.resamples,
        "confidence": spec.confidence,
        "measures": measures,
        "gates": _gates(asked, measures, events),
        "details": task.details(rows[0]),
        "notes": _notes(task, len(drawn), compared=len(subjects) > 1),
    }
    for name, some in zip((DOCUMENTS, COMPARED), rows, strict=False):
        _write_rows(folder / name, some)
    Evaluation.write(folder, facts)
    (folder / PAGE).write_bytes(page(facts, rows, dataset).encode("utf-8"))
    made = Evaluation(folder)
    metrics = {
        **made.values(),
        "intervals": {one["name"]: [one["low"], one["high"]] for one in measures},
        "documents": len(drawn),
        "gates_missed": made.missed(),
    }
    return Evaluation(folder, metrics=metrics, summary=made.in_a_line())


def _gates(asked: Sequence[gates.Gate], measures: Sequence[dict[str, Any]], events: Events) -> list[dict[str, Any]]:
    values = {one["name"]: one["value"] for one in measures}
    others = {one["name"]: one["other"] for one in measures if "other" in one}
    found = gates.judge(asked, values, others)
    for one in found:
        if not one.passed:
            events.noted(f"gate missed: {one.gate}, and {one.name} is {one.value:.4g}", "warning")
    return [one._asdict() for one in found]


def _notes(task: Task, documents: int, *, compared: bool) -> list[str]:
    notes = []
    alone = [name for name in task.wanted if name in task.incomparable]
    if compared and alone:
        notes.append(f"{' and '.join(alone)} cannot be compared: {task.incomparable[alone[0]]}")
    if "calibration_error" in task.wanted and documents < _FEW:
        notes.append(f"calibration_error is too large by chance alone with as few as {documents} documents")
    return notes


def _who(one: Subject) -> dict[str, Any]:
    return {"label": one.label, "kind": one.kind, "id": one.id}


def _write_rows(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
