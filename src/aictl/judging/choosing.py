"""The task that a model and a dataset make together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadRequest
from aictl.judging.subject import CALLED, Ability, Subject
from aictl.judging.task import Task
from aictl.judging.terms import Terms

TAKEN: dict[Ability, tuple[str, ...]] = {
    "language": ("text", "chat", "pair"),
    "text classes": ("text", "chat"),
    "image classes": ("image",),
    "rewriting": ("pair",),
    "embedding": ("pair",),
    "reranking": ("pair",),
    "matching": ("image",),
    "boxes": ("image",),
}
_MADE = {
    "text": "`aictl data prep FILES`",
    "chat": "`aictl data prep FILES --format chat`",
    "image": "`aictl data prep FOLDER --format image`",
    "pair": "`aictl data prep FILES --format pair`",
}


def task_for(subjects: Sequence[Subject], dataset: Dataset, terms: Terms, scratch: Path) -> Task:
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
    return _MAKERS[ability](subjects, dataset, terms, scratch)


def _language(subjects: Sequence[Subject], dataset: Dataset, terms: Terms, scratch: Path) -> Task:
    from aictl.judging.language import Language

    return Language(subjects, dataset, terms)


def _text_classes(subjects: Sequence[Subject], dataset: Dataset, terms: Terms, scratch: Path) -> Task:
    from aictl.judging.classifying import TextClasses

    return TextClasses(subjects, dataset, terms, scratch)


def _image_classes(subjects: Sequence[Subject], dataset: Dataset, terms: Terms, scratch: Path) -> Task:
    from aictl.judging.classifying import ImageClasses

    return ImageClasses(subjects, dataset, terms, scratch)


def _rewriting(subjects: Sequence[Subject], dataset: Dataset, terms: Terms, scratch: Path) -> Task:
    from aictl.judging.rewriting import Rewriting

    return Rewriting(subjects, terms, scratch)


def _embedding(subjects: Sequence[Subject], dataset: Dataset, terms: Terms, scratch: Path) -> Task:
    from aictl.judging.retrieving import Retrieving

    return Retrieving(subjects, terms, scratch)


def _reranking(subjects: Sequence[Subject], dataset: Dataset, terms: Terms, scratch: Path) -> Task:
    from aictl.judging.reranking import Reranking

    return Reranking(subjects, terms, scratch)


def _matching(subjects: Sequence[Subject], dataset: Dataset, terms: Terms, scratch: Path) -> Task:
    from aictl.judging.retrieving import Matching

    return Matching(subjects, terms, scratch)


def _boxes(subjects: Sequence[Subject], dataset: Dataset, terms: Terms, scratch: Path) -> Task:
    from aictl.judging.detecting import Detecting

    return Detecting(subjects, dataset, terms, scratch)


_MAKERS: dict[Ability, Callable[[Sequence[Subject], Dataset, Terms, Path], Task]] = {
    "language": _language,
    "text classes": _text_classes,
    "image classes": _image_classes,
    "rewriting": _rewriting,
    "embedding": _embedding,
    "reranking": _reranking,
    "matching": _matching,
    "boxes": _boxes,
}
