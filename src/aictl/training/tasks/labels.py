"""The labels of a dataset's documents as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput
from aictl.core.events import Events

UNKNOWN = -1  # of a document that has no label
_NAMED = 5  # classes that a warning names


class Labels:
    """Numbers of the classes of a dataset: ``names`` in the order of their numbers."""

    def __init__(self, dataset: Dataset) -> None:
        """Raises :class:`BadInput` unless there are two classes to tell apart."""
        self.names: Sequence[str] = dataset.classes
        self._dataset = dataset
        self._numbers = {name: number for number, name in enumerate(self.names)}
        if len(self.names) < 2:
            found = f"only the class '{self.names[0]}'" if self.names else "no labels"
            raise BadInput(
                f"dataset '{dataset.label}' has {found}, and two classes or more are needed to tell apart",
                cure="give documents a `label`: `aictl data prep` reads them, `aictl data label` makes them",
            )

    def number(self, document: Mapping[str, Any], place: str) -> int:
        """The class of one document, or ``UNKNOWN``. Raises :class:`BadInput` for one that is not among the
        dataset's."""
        label = document.get("label")
        if label is None:
            return UNKNOWN
        found = self._numbers.get(str(label))
        if found is None:
            raise BadInput(
                f"{place} of dataset '{self._dataset.label}' has the label {label!r}, which is none of its "
                f"{len(self.names)} classes",
                cure="label the dataset anew, so that labels.json names every label",
            )
        return found

    def numbers(self, documents: Iterable[Mapping[str, Any]], split: str) -> np.ndarray:
        """int64, a class for each document of a split in order."""
        found = (self.number(one, f"document {row} of the {split} split") for row, one in enumerate(documents, 1))
        return np.fromiter(found, dtype=np.int64)

    def examples(self, numbers: np.ndarray, split: str, events: Events) -> np.ndarray:
        """The rows that have a label. Classes without any, and documents without one, are told. Raises
        :class:`BadInput` for a split that has no labelled document, or is of one class alone to train on."""
        rows = np.flatnonzero(numbers != UNKNOWN)
        if not len(rows):
            raise BadInput(
                f"dataset '{self._dataset.label}' has no labelled document in its {split} split",
                cure="add labelled documents, or prepare the data with another share for validation",
            )
        if len(rows) < len(numbers):
            events.noted(f"{len(numbers) - len(rows)} documents of the {split} split have no label", "warning")
        counts = np.bincount(numbers[rows], minlength=len(self.names))
        missing = [self.names[number] for number in np.flatnonzero(counts == 0).tolist()]
        if split == "train" and len(self.names) - len(missing) < 2:
            raise BadInput(
                f"dataset '{self._dataset.label}' has documents of one class alone in its train split: "
                f"'{self.names[int(counts.argmax())]}'",
                cure="add documents of another class",
            )
        if missing:
            named = ", ".join(missing[:_NAMED]) + (" and others" if len(missing) > _NAMED else "")
            what = "cannot be learnt" if split == "train" else "are not measured"
            events.noted(f"{len(missing)} classes have no document in the {split} split and {what}: {named}", "warning")
        return rows
