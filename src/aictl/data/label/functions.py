"""From declared functions to ones that vote. The modules a kind needs are imported only where it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from aictl.core.artifact import Source
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.data.label.declaration import Declaration, Function, Label
from aictl.data.label.kinds import Classified, Keywords, Llm, Python, Regex, Similarity
from aictl.data.label.spec import LabelSpec

ABSTAIN = -1


class Voter(Protocol):
    """A labelling function at work."""

    def vote(self, texts: Sequence[str], number: int) -> np.ndarray:
        """For each text the index of a label, or -1: int16, shape (len(texts),). ``number`` is that
        of the first text in the dataset, for whoever has to name a document."""
        ...

    def facts(self) -> Mapping[str, int]:
        """Counts of what is worth telling, such as texts that were cut, since it was opened."""
        ...


class Means(NamedTuple):
    """What functions may use beside their own settings."""

    spec: LabelSpec
    code: Sequence[Source]
    embedder: Source | None
    classifier: Source | None
    answers: Sequence[Path]
    scratch: Path
    events: Events


def open_functions(declaration: Declaration, means: Means) -> dict[str, Voter]:
    """Every function by name, in the order of the file.

    Raises :class:`BadInput` or :class:`BadRequest` for one that cannot work: a pattern that does not
    compile, a Python function that is not there, an option that is missing.
    """
    voters: dict[str, Voter] = {}
    embedder: Any = None
    classifier: Any = None
    for function in declaration.functions:
        match function.settings:
            case Regex() | Keywords():
                from aictl.data.label.matching import Matching

                voters[function.name] = Matching(function, declaration.names)
            case Python():
                from aictl.data.label.python_code import PythonCode

                voters[function.name] = PythonCode(function, declaration.names, means.code)
            case Similarity():
                from aictl.data.label.similarity import Nearest, open_model

                embedder = embedder or open_model(function, means.embedder, means.spec)
                voters[function.name] = Nearest(function, _chosen(function, declaration), declaration.names, embedder)
            case Classified():
                from aictl.data.label.trained import Trained, open_classifier

                classifier = classifier or open_classifier(function, means.classifier, means.spec)
                voters[function.name] = Trained(function, declaration.names, classifier)
            case Llm():
                from aictl.data.label.llm import Asked

                voters[function.name] = Asked(function, _chosen(function, declaration), declaration.names, means)
    _nothing_given_for_nothing(declaration, means)
    return voters


def _chosen(function: Function, declaration: Declaration) -> list[Label]:
    """The labels among which a function chooses."""
    names = getattr(function.settings, "labels", None) or declaration.names
    return [label for label in declaration.labels if label.name in names]


def _nothing_given_for_nothing(declaration: Declaration, means: Means) -> None:
    """An option that no function uses is a mistake that would pass unseen."""
    kinds = {function.settings.kind for function in declaration.functions}
    for given, kind, flag in (
        (means.code, "python", "--code"),
        (means.embedder, "embedding", "--embedder"),
        (means.classifier, "classifier", "--classifier"),
        (means.spec.embedder_file, "embedding", "--embedder-file"),
        (means.spec.model, "llm", "--model"),
        (means.answers, "llm", "--answers"),
    ):
        if given and kind not in kinds:
            raise BadRequest(f"{flag} was given, and no function is of kind {kind}", cure=f"leave out {flag}")
