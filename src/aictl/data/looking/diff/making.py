"""What two datasets were made with, as far as it differs: options, inputs, and what each step left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aictl.artifacts.dataset import Dataset
from aictl.data.looking.told import steps_of

Row = dict[str, Any]


def options(before: Dataset, after: Dataset) -> list[Row]:
    """Options that are not the same, by their dotted names; None where a dataset was not made with such an option."""
    one, other = _spec(before), _spec(after)
    return _differing("option", one, other)


def inputs(before: Dataset, after: Dataset) -> list[Row]:
    """Inputs that are not the same, by their role; several of one role are numbered."""
    return _differing("input", _inputs(before), _inputs(after))


def steps(before: Dataset, after: Dataset) -> list[Row]:
    """Documents after each step, where they are not the same or the step was in one of them alone."""
    return _differing("step", _steps(before), _steps(after))


def _differing(what: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Row]:
    names = [*one, *(name for name in other if name not in one)]
    return [
        {what: name, "before": one.get(name), "after": other.get(name)}
        for name in names
        if one.get(name) != other.get(name)
    ]


def _spec(dataset: Dataset) -> dict[str, Any]:
    return dict(_flat(dataset.record.spec, "")) if dataset.record else {}


def _flat(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, value in spec.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield path + name, value


def _inputs(dataset: Dataset) -> dict[str, str]:
    rows = dataset.record.inputs if dataset.record else ()
    roles = [row.role for row in rows]
    found: dict[str, str] = {}
    for row in rows:
        number = sum(name.partition(" ")[0] == row.role for name in found) + 1
        name = row.role if roles.count(row.role) == 1 else f"{row.role} {number}"
        found[name] = f"{row.name or row.uri or row.kind} {row.id[:12]}".strip()
    return found


def _steps(dataset: Dataset) -> dict[str, int]:
    return {step.name: step.documents for step in steps_of(dataset)}
