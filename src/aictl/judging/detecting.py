"""Detectors on pictures with boxes: how much of what is there they find, and how much of what they find is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput, WorkFailed
from aictl.inference.detecting import Detector, detected_classes
from aictl.judging.subject import Subject, whole_folder
from aictl.judging.task import Drawn, Judge, Row, Task
from aictl.judging.terms import Terms
from aictl.measure.average_precision import Found, MeanAveragePrecision
from aictl.measure.resampling import Measure

OVERLAPS = (0.5, 0.75)  # intersection over union from which a box counts as found
MOST_BOXES = 100  # of a picture, the surest, as COCO's evaluation has it (https://arxiv.org/abs/1405.0312)
_DIGITS = 5


class Detecting(Task):
    """Classes are matched by name; a picture without boxes has nothing to be found."""

    name = "detector"
    offers: Mapping[str, Sequence[str]] = {"map": tuple(f"map_{round(100 * one)}" for one in OVERLAPS)}
    usual = tuple(offers)
    batch = 16

    def __init__(self, subjects: Sequence[Subject], dataset: Dataset, terms: Terms, scratch: Path) -> None:
        self._subjects, self._dataset, self._terms, self._scratch = subjects, dataset, terms, scratch
        self._labels: set[str] = set()

    def usable(self, document: Mapping[str, Any]) -> bool:
        if not isinstance(document.get("boxes"), list):
            return False
        self._labels |= {str(one["label"]) for one in document["boxes"]}
        return True

    def require_fit(self) -> None:
        if not self._labels:
            raise BadInput(f"dataset '{self._dataset.label}' has no boxes to be found", cure="prepare it with boxes")
        for one in self._subjects:
            if unknown := sorted(self._labels - set(detected_classes(one.folder))):
                raise BadInput(
                    f"'{one.label}' does not know {len(unknown)} of the {len(self._labels)} labels of dataset "
                    f"'{self._dataset.label}', such as {unknown[0]}",
                    cure="classes are matched by name: name them in id2label of the model's config.json as the "
                    "dataset does",
                )

    def open(self, number: int) -> Judge:
        folder = whole_folder(self._subjects[number], self._scratch)
        return _DetectingJudge(Detector(folder, threads=self._terms.threads, device=self._terms.device))

    def measures(self, rows: Sequence[Row]) -> dict[str, Measure]:
        names = sorted(self._labels)
        answers, truths = ([_boxes(row[which], names) for row in rows] for which in ("found", "true"))
        return {
            name: MeanAveragePrecision(answers, truths, len(names), overlap)
            for name, overlap in zip(self.offers["map"], OVERLAPS, strict=True)
        }

    def details(self, rows: Sequence[Row]) -> dict[str, Any]:
        return {"boxes": sum(len(row["true"]) for row in rows)}


class _DetectingJudge:
    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.truncated = 0

    def judge(self, documents: Sequence[Drawn]) -> list[Row]:
        rows: list[Row] = []
        for one, found in zip(documents, self._detector.detect([one.image or b"" for one in documents]), strict=True):
            if not (np.isfinite(found.scores).all() and np.isfinite(found.corners).all()):
                raise WorkFailed("the model gives boxes that are not finite")
            surest = np.argsort(-found.scores, kind="stable")[:MOST_BOXES]
            guesses = [
                {
                    "label": self._detector.classes[found.labels[place]],
                    "box": [round(float(end), _DIGITS) for end in found.corners[place]],
                    "score": float(found.scores[place]),
                }
                for place in surest.tolist()
            ]
            rows.append({"image": one.document["image"], "true": _true(one.document), "found": guesses})
        return rows

    def close(self) -> None:
        del self._detector


def _true(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A document's boxes in shares of the picture, as guesses have them."""
    size = np.array([document["width"], document["height"]] * 2, dtype=np.float64)
    return [
        {"label": str(one["label"]), "box": (np.array(one["box"], dtype=np.float64) / size).tolist()}
        for one in document["boxes"]
    ]


def _boxes(row: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Found:
    """Of the classes that are asked about; a guess of another is of none of them."""
    kept = [one for one in row if one["label"] in names]
    labels = np.array([names.index(one["label"]) for one in kept], dtype=np.int64)
    corners = np.array([one["box"] for one in kept], dtype=np.float64).reshape(-1, 4)
    return Found(labels, corners, np.array([one.get("score", 1.0) for one in kept]))
