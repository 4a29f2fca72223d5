"""From what models came to on each document to measures with intervals, and to their differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from aictl.core.errors import WorkFailed
from aictl.core.events import Events
from aictl.judging.task import LOWER, Row
from aictl.judging.terms import Terms
from aictl.measure.resampling import Difference, Interval, Measure, all_alike, differences, intervals, mcnemar

_TASK = "draw the documents again"
_SHARES = ("accuracy", "micro_f1")  # of documents that are right


class Measured(Protocol):
    """What of a :class:`~aictl.judging.task.Task` is needed when its documents are judged."""

    @property
    def wanted(self) -> Sequence[str]: ...

    @property
    def incomparable(self) -> Mapping[str, str]: ...

    def measures(self, rows: Sequence[Row]) -> dict[str, Measure]: ...


def measured(task: Measured, rows: Sequence[list[Row]], terms: Terms, events: Events) -> list[dict[str, Any]]:
    """The measures that are wanted, as an evaluation has them. ``rows`` are those of one model or of two.

    Raises :class:`WorkFailed` for one that is not finite.
    """
    found = []
    for some in rows:
        known = task.measures(some)
        found.append({name: known[name] for name in task.wanted})
    events.started(_TASK, total=(2 * len(rows) - 1) * terms.resamples, unit="resamples")
    settings: dict[str, Any] = {"seed": terms.seed, "resamples": terms.resamples, "confidence": terms.confidence}
    one = intervals(found[0], **settings, told=_told(events, 0))
    other: dict[str, Interval] = {}
    apart: dict[str, Difference] = {}
    if len(rows) > 1:
        other = intervals(found[1], **settings, told=_told(events, terms.resamples))
        comparable = {name: measure for name, measure in found[0].items() if name not in task.incomparable}
        apart = differences(comparable, found[1], **settings, told=_told(events, 2 * terms.resamples))
    events.finished(_TASK)
    measures = []
    for name in task.wanted:
        _require_finite(name, one[name], *([other[name]] if other else []))
        known_one = _alike(name, one[name], len(rows[0]), terms.confidence)
        events.measured(name, known_one.value)
        row: dict[str, Any] = {"name": name, **known_one._asdict(), "lower_is_better": name in LOWER}
        if other:
            row |= {"other": other[name].value, "difference": _difference(name, apart.get(name), rows)}
        measures.append(row)
    return measures


def _told(events: Events, before: int) -> Callable[[int], None]:
    return lambda done: events.advanced(_TASK, before + done)


def _require_finite(name: str, *found: Interval) -> None:
    if not all(math.isfinite(one.value) for one in found):
        raise WorkFailed(f"{name} is not finite: the model gives no numbers, or none that mean anything")


def _alike(name: str, one: Interval, documents: int, confidence: float) -> Interval:
    """Where every document is right, or none is, so is every resample, and what may yet be otherwise is said."""
    if name in _SHARES and one.low is None and one.value in (0.0, 1.0):
        rest = all_alike(documents, confidence)
        return Interval(one.value, 1 - rest if one.value else 0.0, 1.0 if one.value else rest)
    return one


def _difference(name: str, one: Difference | None, rows: Sequence[list[Row]]) -> dict[str, Any] | None:
    """As an evaluation has it; with the exact test where it is about shares of right documents."""
    if one is None:
        return None
    found = {**one._asdict(), "is_real": one.is_real}
    if name == "accuracy":
        right, other_right = (np.array([row["right"] for row in some], bool) for some in rows)
        found["mcnemar_p_value"] = mcnemar(right, other_right)
    return found
