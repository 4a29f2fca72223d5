"""What a smaller model is worth beside the one it came from: perplexity of a language model, accuracy of a classifier.

Both are measured on the files, as whoever loads them will find them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput, BadRequest, GateMissed
from aictl.core.events import Events
from aictl.inference.classifying import Classifier
from aictl.inference.image_classifying import ImageClassifier
from aictl.inference.load import load
from aictl.measure.perplexity import heldout, perplexity
from aictl.optimize.shrunken import QualitySpec

AT_ONCE = 64  # documents that are classified together


class Quality(NamedTuple):
    """A model's ``value`` by a ``measure``, ``perplexity`` or ``accuracy``, on so many tokens or documents."""

    measure: str
    value: float
    counted: int

    def lost_since(self, parent: Quality) -> float:
        """What is lost: the relative rise of perplexity, or the fall of accuracy as a share of the documents."""
        if self.measure == "perplexity":
            return self.value / parent.value - 1
        return parent.value - self.value


def quality(checkpoint: Checkpoint, dataset: Dataset, spec: QualitySpec, task: str, events: Events) -> Quality:
    """Measure a language model, or a classifier of texts or pictures. ``task`` is what people are told.

    Raises :class:`BadInput` for a split with nothing to measure on.
    """
    if checkpoint.capability == "text-generation":
        generator = load(checkpoint, device="auto")
        windows = heldout(generator, dataset, tokens=spec.quality_tokens, split=spec.split)
        value = perplexity(generator, windows, events=events, task=task)
        generator.close()
        return Quality("perplexity", value, sum(window.predicted for window in windows))
    right = np.fromiter(_right(checkpoint, dataset, spec, task, events), dtype=bool)
    if not len(right):
        raise BadInput(
            f"dataset '{dataset.label}' has no labelled document in its split '{spec.split}'",
            cure="prepare it with a larger --validation-fraction, or name another split with --split",
        )
    return Quality("accuracy", float(right.mean()), len(right))


def dataset_behind(checkpoint: Checkpoint, dataset: Dataset | None) -> Dataset:
    """The dataset that was given, or the nearest that a checkpoint was made from. Raises :class:`BadRequest`."""
    found = dataset or checkpoint.nearest(Dataset)
    if found is None:
        raise BadRequest(
            f"'{checkpoint.label}' was not made from a dataset here, so there is nothing to measure it on",
            cure="name a dataset after it",
        )
    return found


def require_quality(before: Quality, after: Quality, most: float | None, cure: str) -> None:
    """Raise :class:`GateMissed` where more was lost than ``most``."""
    lost = after.lost_since(before)
    if most is None or lost <= most:  # what is no number is more than any
        return
    if after.measure == "perplexity":
        what, much = "held-out perplexity rises", f"{lost:.1%}, from {before.value:.4g} to {after.value:.4g}"
    else:
        what, much = "held-out accuracy falls", f"{100 * lost:.1f} points, from {before.value:.1%} to {after.value:.1%}"
    raise GateMissed(f"{what} by {much}, and --max-quality-loss is {most:g}", cure=cure)


def told(before: Quality, after: Quality) -> str:
    """What became of the quality, in a few words."""
    lost = after.lost_since(before)
    if after.measure == "perplexity":
        return f"perplexity {before.value:.4g} to {after.value:.4g} ({lost:+.1%})"
    return f"accuracy {before.value:.1%} to {after.value:.1%} ({-100 * lost:+.1f} points)"


def figures(checkpoint: Checkpoint, found: Quality) -> dict[str, Any]:
    """What the record says of one model."""
    return {
        found.measure: found.value,
        "parameters": checkpoint.brief().parameters,
        "size_bytes": sum(path.stat().st_size for path in checkpoint.weights()),
    }


def _right(checkpoint: Checkpoint, dataset: Dataset, spec: QualitySpec, task: str, events: Events) -> Iterator[bool]:
    """Of each labelled document whether its label is the likeliest class."""
    events.started(task, min(spec.quality_documents, dataset.splits.get(spec.split, 0)), "documents")
    done = 0
    for labels, answers in _answers(checkpoint, dataset, spec):
        yield from (label == answer for label, answer in zip(labels, answers, strict=True))
        done += len(labels)
        events.advanced(task, done)
    events.finished(task)


def _answers(checkpoint: Checkpoint, dataset: Dataset, spec: QualitySpec) -> Iterator[tuple[list[str], list[str]]]:
    """Labels and the likeliest classes, some at a time."""
    if checkpoint.capability == "text-classification":
        texts = Classifier(checkpoint.folder)
        found = (one for one in dataset.documents(spec.split) if one.get("label") is not None)
        for some in _batches(islice(found, spec.quality_documents)):
            odds = texts.classify([str(one["text"]) for one in some]).probabilities
            yield [str(one["label"]) for one in some], [texts.classes[place] for place in odds.argmax(axis=1)]
        return
    pictures = ImageClassifier(checkpoint.folder)
    pairs = (pair for pair in dataset.pictures(spec.split) if pair[0].get("label") is not None)
    for several in _batches(islice(pairs, spec.quality_documents)):
        odds = pictures.classify([data for _, data in several])
        yield [str(one["label"]) for one, _ in several], [pictures.classes[place] for place in odds.argmax(axis=1)]


def _batches(items: Iterator[Any]) -> Iterator[list[Any]]:
    while some := list(islice(items, AT_ONCE)):
        yield some
