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
from aictl.core import extras
from aictl.core.artifact import Source
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.evaluate import gates
from aictl.evaluate.page.page import page
from aictl.evaluate.spec import EvaluateSpec
from aictl.judging.choosing import task_for
from aictl.judging.documents import draw
from aictl.judging.measuring import measured
from aictl.judging.running import rows_of
from aictl.judging.subject import Subject, subject
from aictl.judging.task import Row, Task

Model = Checkpoint | Adapter | OnnxModel | Source

_FEW = 300  # documents, below which chance alone makes up much of a calibration error (docs/decisions/intervals.md)


def evaluate(
    model: Model,
    dataset: Dataset | None,
    other: Model | None,
    spec: EvaluateSpec,
    folder: Path,
    *,
    tasks_folder: Source | None = None,
    scratch: Path,
    events: Events,
) -> Evaluation:
    """Write an evaluation into ``folder``; one of which a gate is missed has the exit code 1.

    Raises :class:`BadRequest`, :class:`BadInput` or :class:`WrongKind` where the model cannot be measured on the
    dataset or by what was asked for, and :class:`WorkFailed` for a model whose measures are not finite.
    """
    asked = gates.read(spec.gate, compared=other is not None)
    subjects = [subject(one) for one in (model, other) if one is not None]
    if (dataset is None) == (not spec.tasks):
        raise BadRequest(
            "a model is measured on a DATASET or on --tasks, and on one of them at a time",
            cure="name a dataset, or tasks of lm-evaluation-harness",
        )
    if spec.tasks and spec.metrics:
        raise BadRequest("--metrics has no place beside --tasks, which have their own", cure="leave it out")
    if dataset is None:
        facts, rows = _on_tasks(subjects, asked, spec, tasks_folder, events)
    else:
        facts, rows = _on_dataset(subjects, dataset, asked, spec, scratch=scratch, events=events)
    measures = facts["measures"]
    facts |= {
        "model": _who(subjects[0]),
        "compared": _who(subjects[1]) if len(subjects) > 1 else None,
        "seed": spec.seed,
        "resamples": spec.resamples,
        "confidence": spec.confidence,
        "gates": _gates(asked, measures, events),
    }
    for name, some in zip((DOCUMENTS, COMPARED), rows, strict=False):
        _write_rows(folder / name, some)
    Evaluation.write(folder, facts)
    (folder / PAGE).write_bytes(page(facts, rows, dataset).encode("utf-8"))
    made = Evaluation(folder)
    metrics = {
        **made.values(),
        "intervals": {one["name"]: [one["low"], one["high"]] for one in measures},
        "documents": facts["documents"],
        "gates_missed": made.missed(),
    }
    return Evaluation(folder, metrics=metrics, summary=made.in_a_line())


def _on_dataset(
    subjects: Sequence[Subject],
    dataset: Dataset,
    asked: Sequence[gates.Gate],
    spec: EvaluateSpec,
    *,
    scratch: Path,
    events: Events,
) -> tuple[dict[str, Any], list[list[Row]]]:
    """What was measured, and what each model came to on each document."""
    task = task_for(subjects, dataset, spec.terms, scratch)
    task.wanted = gates.wanted(task, spec.metrics, asked)
    drawn = draw(dataset, spec.split, task.usable, most=spec.most, seed=spec.seed, events=events)
    task.require_fit()
    rows = [
        rows_of(task, number, drawn, called=one.label, path=scratch / f"rows-{number}.jsonl", events=events)
        for number, one in enumerate(subjects)
    ]
    facts = {
        "dataset": {"label": dataset.label, "kind": dataset.kind, "id": dataset.record.id if dataset.record else None},
        "task": task.name,
        "split": spec.split,
        "documents": len(drawn),
        "of": drawn.usable,
        "left_out": drawn.unusable,
        "measures": measured(task, rows, spec.terms, events),
        "details": task.details(rows[0]),
        "notes": _notes(task, len(drawn), compared=len(subjects) > 1),
    }
    return facts, rows


def _on_tasks(
    subjects: Sequence[Subject],
    asked: Sequence[gates.Gate],
    spec: EvaluateSpec,
    tasks_folder: Source | None,
    events: Events,
) -> tuple[dict[str, Any], list[list[Row]]]:
    """The same of tasks of lm-evaluation-harness."""
    extras.require("harness")
    from aictl.evaluate import harness

    folder = tasks_folder.path if tasks_folder else None
    by_task = [harness.rows_of_tasks(one, spec, folder, events) for one in subjects]
    measures = []
    for name in by_task[0]:
        task = harness.HarnessMeasures(name, by_task[0][name])
        measures += measured(task, [some[name] for some in by_task], spec.terms, events)
    known = [one["name"] for one in measures]
    for gate in asked:
        if gate.name not in known:
            raise BadRequest(f"'{gate.name}' does not apply to these tasks", cure=f"there are {', '.join(known)}")
    rows = [[row for some in one.values() for row in some] for one in by_task]
    facts = {
        "dataset": {
            "label": ", ".join(spec.tasks),
            "kind": "tasks",
            "id": tasks_folder.digest if tasks_folder else None,
        },
        "task": "language model",
        "split": harness.version(),
        "documents": len(rows[0]),
        "of": len(rows[0]),
        "left_out": 0,
        "measures": measures,
        "details": {},
        "notes": [f"of each task at most the first {spec.most:,} documents were taken; --most sets how many"],
    }
    return facts, rows


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
