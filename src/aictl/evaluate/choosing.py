"""What is measured: the task that a model and a dataset make together, and those of its measures that are wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadRequest
from aictl.evaluate.gates import OTHER, Gate
from aictl.evaluate.spec import EvaluateSpec
from aictl.evaluate.subject import CALLED, Ability, Subject
from aictl.evaluate.task import Task

TAKEN: dict[Ability, tuple[str, ...]] = {
    "language": ("text", "chat", "pair"),
    "text classes": ("text", "chat"),
    "image classes": ("image",),
    "rewriting": ("pair",),
    "embedding": ("pair",),
}
_MADE = {
    "text": "`aictl data prep FILES`",
    "chat": "`aictl data prep FILES --format chat`",
    "image": "`aictl data prep FOLDER --format image`",
    "pair": "`aictl data prep FILES --format pair`",
}


def task_for(subjects: Sequence[Subject], dataset: Dataset, spec: EvaluateSpec, scratch: Path) -> Task:
    """Raises :class:`WrongKind` for a dataset of a format that the model cannot be measured on, :class:`BadRequest`
    for two models that do different things, and what reading the model's configuration raises."""
    ability = subjects[0].ability
    if any(one.ability != ability for one in subjects):
        what = " and ".join(f"'{one.label}' is {CALLED[one.ability]}" for one in subjects)
        raise BadRequest(f"{what}: they cannot be compared", cure="compare with a model of the same kind")
    formats = TAKEN[ability]
    made = " or ".join(_MADE[one] for one in formats)
    dataset.require_format(
        *formats,  # type: ignore[arg-type]
        cure=f"'{subjects[0].label}' is {CALLED[ability]}; make a dataset for it with {made}",
    )
    return _MAKERS[ability](subjects, dataset, spec, scratch)


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


def _language(subjects: Sequence[Subject], dataset: Dataset, spec: EvaluateSpec, scratch: Path) -> Task:
    from aictl.evaluate.language import Language

    return Language(subjects, dataset, spec)


def _text_classes(subjects: Sequence[Subject], dataset: Dataset, spec: EvaluateSpec, scratch: Path) -> Task:
    from aictl.evaluate.classifying import TextClasses

    return TextClasses(subjects, dataset, spec, scratch)


def _image_classes(subjects: Sequence[Subject], dataset: Dataset, spec: EvaluateSpec, scratch: Path) -> Task:
    from aictl.evaluate.classifying import ImageClasses

    return ImageClasses(subjects, dataset, spec, scratch)


def _rewriting(subjects: Sequence[Subject], dataset: Dataset, spec: EvaluateSpec, scratch: Path) -> Task:
    from aictl.evaluate.rewriting import Rewriting

    return Rewriting(subjects, spec, scratch)


def _embedding(subjects: Sequence[Subject], dataset: Dataset, spec: EvaluateSpec, scratch: Path) -> Task:
    from aictl.evaluate.retrieving import Retrieving

    return Retrieving(subjects, spec, scratch)


_MAKERS: dict[Ability, Callable[[Sequence[Subject], Dataset, EvaluateSpec, Path], Task]] = {
    "language": _language,
    "text classes": _text_classes,
    "image classes": _image_classes,
    "rewriting": _rewriting,
    "embedding": _embedding,
}
