"""How well classes are told apart, and how far the probabilities that are given for them can be trusted.

A document has one true class. F1 is the harmonic mean of precision and recall; ``macro_f1`` is its plain mean over
the classes that are true or predicted somewhere, ``micro_f1`` that of all classes' counts together, which is the
accuracy where every document has one class.

``log_loss`` is the mean negative logarithm of the true class's probability in nats, ``brier`` the mean of the squared
distance between the probabilities and the truth (Brier 1950, Monthly Weather Review 78: from 0 to 2).
``calibration_error`` is the expected calibration error (Naeini, Cooper & Hauskrecht 2015, AAAI; Guo et al. 2017,
ICML): documents fall into equal bands by the probability of the predicted class, and in each the share that is right
is held against the mean of those probabilities, weighed by the documents in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from aictl.measure.resampling import Measure, Sums, mean

BANDS = 15  # as in Guo et al. 2017
SMALLEST = 1e-12  # a probability below counts as this: the logarithm of 0 would outweigh everything
_CLASSES_AT_ONCE = 64


class Judged(NamedTuple):
    """What a classifier said of some documents: the numbers of the true and the predicted class, int64 (documents,);
    the probabilities of both, and the squared distance of all probabilities from the truth, float64 (documents,)."""

    true: np.ndarray
    predicted: np.ndarray
    of_true: np.ndarray
    of_predicted: np.ndarray
    brier: np.ndarray

    @property
    def right(self) -> np.ndarray:
        return self.true == self.predicted


class Class(NamedTuple):
    """One class: how many documents are truly of it, and how well it is told apart; None where there is nothing to
    divide by."""

    name: str
    documents: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None


class Band(NamedTuple):
    """The documents whose predicted class has a probability from ``low`` to ``high``: their number, the mean of those
    probabilities, and the share that is right."""

    low: float
    high: float
    documents: int
    confidence: float | None
    accuracy: float | None


class MacroF1:
    """The mean F1 of the classes that occur. Counts are made for some classes at a time, so that a thousand classes
    take no more memory than a few."""

    corrected = True

    def __init__(self, true: np.ndarray, predicted: np.ndarray) -> None:
        self._true, self._predicted = true, predicted
        self._classes = np.unique(np.concatenate([true, predicted]))

    @property
    def documents(self) -> int:
        return len(self._true)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        total, occurring = np.zeros(len(weights)), np.zeros(len(weights))
        for begin in range(0, len(self._classes), _CLASSES_AT_ONCE):
            some = self._classes[begin : begin + _CLASSES_AT_ONCE]
            true, predicted = self._true[:, None] == some, self._predicted[:, None] == some
            both = weights @ (true & predicted).astype(np.float64)
            either = weights @ (true.astype(np.float64) + predicted)
            total += np.divide(2 * both, either, out=np.zeros_like(both), where=either > 0).sum(axis=1)
            occurring += (either > 0).sum(axis=1)
        return total / occurring


def measures(judged: Judged) -> dict[str, Measure]:
    """All of them, by name."""
    right = mean(judged.right)
    return {
        "accuracy": right,
        "macro_f1": MacroF1(judged.true, judged.predicted),
        "micro_f1": right,
        "log_loss": mean(-np.log(np.maximum(judged.of_true, SMALLEST))),
        "brier": mean(judged.brier),
        "calibration_error": calibration_error(judged.right, judged.of_predicted),
    }


def calibration_error(right: np.ndarray, confidence: np.ndarray) -> Sums:
    """Expected calibration error over :data:`BANDS` equal bands."""
    inside = (band_of(confidence)[:, None] == np.arange(BANDS)).astype(np.float64)
    apart = inside * (right.astype(np.float64) - confidence)[:, None]
    values = np.concatenate([apart, np.ones((len(right), 1))], axis=1)
    return Sums(values, lambda sums: np.abs(sums[:, :-1]).sum(axis=1) / sums[:, -1])


def band_of(confidence: np.ndarray) -> np.ndarray:
    """The number of the band that each probability falls into; a band's upper end belongs to it."""
    return np.clip(np.ceil(confidence * BANDS).astype(np.int64) - 1, 0, BANDS - 1)


def bands(right: np.ndarray, confidence: np.ndarray) -> list[Band]:
    """What a reliability diagram shows."""
    number = band_of(confidence)
    found = []
    for band in range(BANDS):
        here = number == band
        some = bool(here.any())
        found.append(
            Band(
                band / BANDS,
                (band + 1) / BANDS,
                int(here.sum()),
                float(confidence[here].mean()) if some else None,
                float(right[here].mean()) if some else None,
            )
        )
    return found


def classes(judged: Judged, names: Sequence[str]) -> list[Class]:
    """Every class that is true or predicted somewhere, in the order of ``names``."""
    count = len(names)
    true = np.bincount(judged.true, minlength=count)
    predicted = np.bincount(judged.predicted, minlength=count)
    both = np.bincount(judged.true[judged.right], minlength=count)
    return [
        Class(
            name,
            int(true[at]),
            int(predicted[at]),
            _share(both[at], predicted[at]),
            _share(both[at], true[at]),
            _share(2 * both[at], true[at] + predicted[at]),
        )
        for at, name in enumerate(names)
        if true[at] or predicted[at]
    ]


def confusions(judged: Judged) -> Mapping[tuple[int, int], int]:
    """How many documents of a true class were given each class, by the numbers of both; none of those that are none."""
    pairs, counts = np.unique(np.stack([judged.true, judged.predicted]), axis=1, return_counts=True)
    return {(int(true), int(predicted)): int(number) for (true, predicted), number in zip(pairs.T, counts, strict=True)}


def _share(part: np.ndarray | int, whole: np.ndarray | int) -> float | None:
    return float(part) / float(whole) if whole else None
