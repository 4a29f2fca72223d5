"""Gates: what a measure must come to. ``accuracy>=0.9``, ``perplexity<=20``, ``bleu>=other``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from aictl.core.errors import BadRequest
from aictl.judging.task import Task

OTHER = "other"
_GATE = re.compile(r"\s*([\w@./-]+)\s*(>=|<=|>|<)\s*(\S+)\s*")
_HOLDS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


class Gate(NamedTuple):
    """``bound`` is None where it is the value of the model that is compared with."""

    text: str
    name: str
    sign: str
    bound: float | None


class Verdict(NamedTuple):
    """What came of a gate."""

    gate: str
    name: str
    value: float
    bound: float
    passed: bool


def read(texts: Sequence[str], *, compared: bool) -> list[Gate]:
    """Raises :class:`BadRequest` for what is no gate, and for ``other`` where there is none."""
    gates = []
    for text in texts:
        found = _GATE.fullmatch(text)
        bound = None
        if found and found[3] != OTHER:
            try:
                bound = float(found[3])
            except ValueError:
                found = None
        if found is None or (bound is not None and not math.isfinite(bound)):
            raise BadRequest(
                f"--gate {text!r} is no gate", cure="a name, one of >= <= > <, and a number or 'other': accuracy>=0.9"
            )
        if bound is None and not compared:
            raise BadRequest(f"--gate {text!r}: there is no other model", cure="name one with --compare")
        gates.append(Gate(text.strip(), found[1], found[2], bound))
    return gates


def judge(gates: Sequence[Gate], values: Mapping[str, float], others: Mapping[str, float]) -> list[Verdict]:
    """Whether each gate holds; the value itself is held against it, not its interval."""
    found = []
    for gate in gates:
        value, bound = values[gate.name], others[gate.name] if gate.bound is None else gate.bound
        found.append(Verdict(gate.text, gate.name, value, bound, _HOLDS[gate.sign](value, bound)))
    return found


def wanted(task: Task, metrics: Sequence[str], gates: Sequence[Gate]) -> list[str]:
    """The measures by name, in the order of what the task offers; what a gate names is measured too.

    Raises :class:`BadRequest` for one that does not apply, and for a gate on what cannot be compared.
    """
    measures = {name: [name] for names in task.offers.values() for name in names}
    known = {**measures, **{name: list(names) for name, names in task.offers.items()}}
    asked = [*(metrics or task.usual), *(gate.name for gate in gates)]
    for name in asked:
        if name not in known or (name not in measures and name in {gate.name for gate in gates}):
            offered = ", ".join(measures if name in known else dict.fromkeys([*task.offers, *measures]))
            raise BadRequest(f"'{name}' does not apply to the {task.name} on this dataset", cure=f"there are {offered}")
    for gate in gates:
        if gate.bound is None and gate.name in task.incomparable:
            raise BadRequest(
                f"--gate {gate.text}: {gate.name} cannot be held against {OTHER}, since {task.incomparable[gate.name]}"
            )
    chosen = {name for one in asked for name in known[one]}
    return [name for name in measures if name in chosen]
