"""Functions of kind classifier: the class that a trained model gives a text, as one of the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aictl.core.artifact import Source
from aictl.core.errors import BadInput, BadRequest
from aictl.data.label.declaration import Function
from aictl.data.label.kinds import Classified
from aictl.data.label.spec import LabelSpec
from aictl.inference.classifying import Classifier

# Sums of float32 in another order differ in the seventh digit; a vote must not hang on that.
_DECIMALS = 4


class Trained:
    """Votes for the label that the likeliest class means."""

    def __init__(self, function: Function, labels: Sequence[str], classifier: Classifier) -> None:
        """Raises :class:`BadInput` for names that are none of the model or of the file, or if no class means a
        label."""
        settings = function.settings
        assert isinstance(settings, Classified)
        self._least = settings.min_probability
        self._classifier = classifier
        self._truncated = 0
        classes = classifier.classes
        if unknown := sorted(set(settings.names) - set(classes)):
            raise BadInput(f"{function.where}: the model has no class '{unknown[0]}'", cure=f"its are {_list(classes)}")
        if unknown := sorted(set(settings.names.values()) - set(labels)):
            raise BadInput(f"{function.where}: no label is called '{unknown[0]}'", cure=f"there are {_list(labels)}")
        meant = [settings.names.get(name, name) for name in classes]
        self._numbers = np.array([labels.index(name) if name in labels else -1 for name in meant], np.int16)
        if (self._numbers < 0).all():
            raise BadInput(
                f"{function.where}: none of the model's classes is called as a label: {_list(classes)}",
                cure=f'say which means which: names = {{ "{classes[0]}" = "{labels[0]}" }}',
            )

    def vote(self, texts: Sequence[str], number: int) -> np.ndarray:
        classified = self._classifier.classify(texts)
        self._truncated += classified.truncated
        probabilities = np.round(classified.probabilities, _DECIMALS)
        best = probabilities.argmax(axis=1)
        sure = probabilities.max(axis=1) >= self._least
        return np.where(sure, self._numbers[best], -1).astype(np.int16)

    def facts(self) -> Mapping[str, int]:
        return {"truncated": self._truncated}


def open_classifier(function: Function, source: Source | None, spec: LabelSpec) -> Classifier:
    """The classifier that was given. Raises :class:`BadRequest` if none was."""
    if source is None:
        raise BadRequest(
            f"{function.where}: a function of kind classifier needs a model that classifies texts",
            cure="--classifier FOLDER, pkg:NAME==VERSION or hf:ORG/NAME",
        )
    return Classifier(source.path, threads=spec.threads, device=spec.device)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
