"""Classifiers of texts and of pictures: whether the class is right, and what their probabilities are worth."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput, WorkFailed
from aictl.inference.classifying import Classified, Classifier, text_classes
from aictl.inference.image_classifying import ImageClassifier, image_classes
from aictl.judging.subject import Subject, whole_folder
from aictl.judging.task import Drawn, Judge, Row, Task, beginning
from aictl.judging.terms import Terms
from aictl.measure import classification
from aictl.measure.classification import Judged
from aictl.measure.resampling import Measure
from aictl.measure.stretches import text_of

_MEASURES = ("accuracy", "macro_f1", "micro_f1", "log_loss", "brier", "calibration_error")
_NAMED = 10  # labels and classes in a message

Classify = Callable[[Sequence[Drawn]], Classified]


class Classes(Task):
    """Classes are known by their names; their numbers in the model and in the dataset need not be the same."""

    offers = {name: (name,) for name in _MEASURES}
    usual = tuple(name for name in _MEASURES if name != "micro_f1")  # which is the accuracy, of one class a document

    def __init__(self, subjects: Sequence[Subject], dataset: Dataset, terms: Terms, scratch: Path) -> None:
        self._subjects, self._dataset, self._terms, self._scratch = subjects, dataset, terms, scratch
        self._labels: set[str] = set()

    @abstractmethod
    def _classes_of(self, folder: Path) -> tuple[str, ...]:
        """The names of a model's classes in order."""

    @abstractmethod
    def _classify(self, folder: Path) -> Classify:
        """Load a model."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The classes of all models together."""
        return tuple(dict.fromkeys(name for one in self._subjects for name in self._classes_of(one.folder)))

    def usable(self, document: Mapping[str, Any]) -> bool:
        if document.get("label") is None:
            return False
        self._labels.add(str(document["label"]))
        return True

    def require_fit(self) -> None:
        for one in self._subjects:
            classes = self._classes_of(one.folder)
            if unknown := sorted(self._labels - set(classes)):
                raise BadInput(
                    f"'{one.label}' does not know {len(unknown)} of the {len(self._labels)} labels of dataset "
                    f"'{self._dataset.label}': {_listed(unknown)}; its classes are {_listed(classes)}",
                    cure="classes are matched by name: name them in id2label of the model's config.json as the "
                    "dataset does",
                )

    def open(self, number: int) -> Judge:
        one = self._subjects[number]
        return _ClassesJudge(self._classify(whole_folder(one, self._scratch)), self._classes_of(one.folder))

    def measures(self, rows: Sequence[Row]) -> dict[str, Measure]:
        return classification.measures(self._judged(rows))

    def details(self, rows: Sequence[Row]) -> dict[str, Any]:
        judged = self._judged(rows)
        confusions = [
            {"true": self.names[true], "predicted": self.names[predicted], "documents": count}
            for (true, predicted), count in classification.confusions(judged).items()
        ]
        return {
            "classes": [one._asdict() for one in classification.classes(judged, self.names)],
            "confusions": confusions,
            "bands": [one._asdict() for one in classification.bands(judged.right, judged.of_predicted)],
        }

    def _judged(self, rows: Sequence[Row]) -> Judged:
        number = {name: at for at, name in enumerate(self.names)}
        return Judged(
            np.array([number[row["label"]] for row in rows]),
            np.array([number[row["predicted"]] for row in rows]),
            np.array([row["label_probability"] for row in rows]),
            np.array([row["probability"] for row in rows]),
            np.array([row["brier"] for row in rows]),
        )


class TextClasses(Classes):
    """Of a conversation all its turns are read, one a line."""

    name = "text classifier"
    batch = 128

    def _classes_of(self, folder: Path) -> tuple[str, ...]:
        return text_classes(folder)

    def _classify(self, folder: Path) -> Classify:
        classifier = Classifier(folder, threads=self._terms.threads, device=self._terms.device)
        return lambda documents: classifier.classify([text_of(one.document) for one in documents])


class ImageClasses(Classes):
    """Each picture by itself."""

    name = "image classifier"
    batch = 64

    def _classes_of(self, folder: Path) -> tuple[str, ...]:
        return image_classes(folder)

    def _classify(self, folder: Path) -> Classify:
        classifier = ImageClassifier(folder, threads=self._terms.threads, device=self._terms.device)
        return lambda documents: Classified(classifier.classify([one.image or b"" for one in documents]), 0)


class _ClassesJudge:
    def __init__(self, classify: Classify, names: Sequence[str]) -> None:
        self._classify, self._names = classify, names
        self.truncated = 0

    def judge(self, documents: Sequence[Drawn]) -> list[Row]:
        classified = self._classify(documents)
        self.truncated += classified.truncated
        found = classified.probabilities.astype(np.float64)
        if not np.isfinite(found).all():
            raise WorkFailed("the model gives probabilities that are not finite")
        labels = [self._names.index(str(one.document["label"])) for one in documents]
        rows: list[Row] = []
        for one, label, probabilities in zip(documents, labels, found, strict=True):
            best = int(probabilities.argmax())
            truth = np.arange(len(self._names)) == label
            rows.append(
                {
                    **_shown(one),
                    "label": self._names[label],
                    "predicted": self._names[best],
                    "right": best == label,
                    "probability": float(probabilities[best]),
                    "label_probability": float(probabilities[label]),
                    "brier": float(((probabilities - truth) ** 2).sum()),
                }
            )
        return rows

    def close(self) -> None:
        del self._classify


def _shown(one: Drawn) -> Row:
    if "image" in one.document:
        return {"image": one.document["image"]}
    return {"text": beginning(text_of(one.document))}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
