"""Average precision of boxes (https://arxiv.org/abs/1405.0312 and the PASCAL VOC challenge before it)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Found(NamedTuple):
    """Boxes of one picture: classes (boxes,), corners (boxes, 4), and of those that are guessed how sure each is."""

    labels: np.ndarray
    corners: np.ndarray
    scores: np.ndarray | None


def mean_average_precision(
    answers: Sequence[Found], truths: Sequence[Found], classes: int, overlap: float
) -> tuple[float, float]:
    """The mean over the classes that there are of the area under precision by recall, where a guess is right if it
    overlaps by ``overlap`` with a true box that no surer guess has taken; and the share of true boxes found."""
    precisions, found, total = [], 0, 0
    for number in range(classes):
        wanted = [one.corners[one.labels == number] for one in truths]
        count = sum(map(len, wanted))
        if not count:
            continue
        right, _ = _right(answers, wanted, number, overlap)
        hits = np.cumsum(right)
        precision = hits / np.arange(1, len(right) + 1)
        # Each recall counts with the best precision that is to be had at it or beyond.
        best = np.maximum.accumulate(precision[::-1])[::-1]
        precisions.append(float((best * right).sum() / count))
        found, total = found + int(right.sum()), total + count
    return (float(np.mean(precisions)) if precisions else 0.0), found / max(1, total)


class MeanAveragePrecision:
    """The first of :func:`mean_average_precision`, as a :class:`~aictl.measure.resampling.Measure` of pictures. Classes
    that a resample has no box of are no part of its mean."""

    corrected = False  # to leave out each picture in turn would take as long as all resamples

    def __init__(self, answers: Sequence[Found], truths: Sequence[Found], classes: int, overlap: float) -> None:
        self.documents = len(truths)
        self._classes = []
        for number in range(classes):
            wanted = [one.corners[one.labels == number] for one in truths]
            if any(map(len, wanted)):
                pictures = np.repeat(np.arange(len(answers)), [int((one.labels == number).sum()) for one in answers])
                right, order = _right(answers, wanted, number, overlap)
                self._classes.append((right, pictures[order], np.array(list(map(len, wanted)), dtype=np.float64)))

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """See :class:`~aictl.measure.resampling.Measure`."""
        found = np.full((len(weights), max(1, len(self._classes))), np.nan)
        for place, (right, pictures, counts) in enumerate(self._classes):
            drawn = weights[:, pictures]
            hits = drawn * right
            precision = np.cumsum(hits, axis=1) / np.maximum(np.cumsum(drawn, axis=1), 1e-12)
            best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            total = weights @ counts
            np.divide((best * hits).sum(axis=1), total, out=found[:, place], where=total > 0)
        known = np.isfinite(found)
        return np.where(
            known.any(axis=1), np.where(known, found, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.nan
        )


def overlaps(corners: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of each box with each of the others, of shape (boxes, others)."""
    low = np.maximum(corners[:, None, :2], others[None, :, :2])
    high = np.minimum(corners[:, None, 2:], others[None, :, 2:])
    both = (high - low).clip(0).prod(axis=2)
    areas = [(one[:, 2:] - one[:, :2]).clip(0).prod(axis=1) for one in (corners, others)]
    return both / np.maximum(areas[0][:, None] + areas[1][None] - both, 1e-12)


def _right(
    answers: Sequence[Found], wanted: Sequence[np.ndarray], number: int, overlap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each guess of a class is right, the surest first, and the places that they have picture by picture."""
    scores: list[float] = []
    right: list[bool] = []
    for answer, true in zip(answers, wanted, strict=True):
        assert answer.scores is not None
        mine = answer.labels == number
        order = np.argsort(-answer.scores[mine], kind="stable")
        taken = np.zeros(len(true), dtype=bool)
        shares = overlaps(answer.corners[mine][order], true)
        for place, row in zip(order, shares, strict=True):
            free = np.where(taken, -1.0, row)
            nearest = int(free.argmax()) if len(true) else -1
            hit = nearest >= 0 and free[nearest] >= overlap
            if hit:
                taken[nearest] = True
            scores.append(float(answer.scores[mine][place]))
            right.append(bool(hit))
    surest = np.argsort(-np.array(scores), kind="stable")
    return np.array(right, dtype=bool)[surest], surest
