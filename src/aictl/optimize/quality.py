"""What a candidate is worth beside the model that it was made from, by the task's own measure on the same documents.

Perplexity of a language model, accuracy of a classifier, the share of questions whose answer an embedding model puts
first or of pictures whose caption a dual encoder does, the mean average precision of a detector's boxes, the mean
reciprocal rank of what a reranker should put first, chrF of an encoder-decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import BadRequest, GateMissed
from aictl.core.events import Events
from aictl.judging.choosing import task_for
from aictl.judging.documents import Draw, draw, within
from aictl.judging.measuring import measured
from aictl.judging.running import rows_of
from aictl.judging.shipped import shipped
from aictl.judging.subject import subject
from aictl.judging.task import Task
from aictl.judging.terms import Terms
from aictl.optimize.spec import QualitySpec

Model = OnnxModel | Checkpoint | Adapter

_WINDOW = 512
_CHARACTERS = 2048  # of a text, so that many texts are read and not one long one
_BYTES_A_TOKEN = 4  # of English, about; it only decides how many documents are read


class Quality(NamedTuple):
    """What a task is judged by. A loss is relative to the parent's, or the difference of two shares of ``scale``;
    ``accepted`` is how much of it is unless somebody says otherwise."""

    measure: str
    is_relative: bool
    accepted: float
    scale: float = 1.0


QUALITIES: Mapping[str, Quality] = {
    "language model": Quality("perplexity", True, 0.05),
    "text classifier": Quality("accuracy", False, 0.01),
    "image classifier": Quality("accuracy", False, 0.01),
    "embedding model": Quality("recall@1", False, 0.01),
    "dual encoder": Quality("recall@1", False, 0.01),
    "detector": Quality("map_50", False, 0.01),
    "reranker": Quality("mrr", False, 0.01),
    "encoder-decoder model": Quality("chrf", False, 0.01, 100.0),
}


class Lost(NamedTuple):
    """What a candidate lost: the measure of both, the loss with its 95% interval where there is one, on so many
    documents, which ``draw`` has."""

    task: str
    quality: Quality
    parent: float
    candidate: float
    loss: float
    low: float | None
    high: float | None
    draw: Draw
    details: Mapping[str, Any]


def heldout(parent: Model, named: Dataset | None, scratch: Path, events: Events) -> Dataset:
    """What quality is measured on: the dataset that was named, the nearest that the model was made from, or of a
    language model the texts that come with this package. Raises :class:`BadRequest` where there is none."""
    found = named or parent.nearest(Dataset)
    if found is not None:
        return found
    if parent.capability == "text-generation":
        events.noted("no dataset is known here: quality is measured on old English texts; name another to change that")
        return shipped(scratch / "shipped")
    raise BadRequest(
        f"'{parent.label}' was not made from a dataset here, so there is nothing held out to measure quality on",
        cure="name a dataset",
    )


def require_judgeable(parent: Model, dataset: Dataset, spec: QualitySpec, scratch: Path) -> None:
    """Raise before any work what judging a model on a dataset would raise after it."""
    task_for([subject(parent)], dataset, _terms(spec), scratch)
    if spec.split not in dataset.splits:
        raise BadRequest(
            f"dataset '{dataset.label}' has no split '{spec.split}'", cure=f"its splits are {', '.join(dataset.splits)}"
        )


def lost(
    parent: Model,
    candidate: Model,
    dataset: Dataset,
    spec: QualitySpec,
    *,
    called: str = "the candidate",
    scratch: Path,
    events: Events,
) -> Lost:
    """Judge both. What the parent came to stays in ``scratch`` for the next candidate.

    Raises what judging and loading the two raises.
    """
    subjects = [subject(parent), subject(candidate)]
    terms = _terms(spec)
    task = task_for(subjects, dataset, terms, scratch)
    quality = QUALITIES[task.name]
    task.wanted = [quality.measure]
    drawn = _drawn(task, dataset, spec, terms, events)
    kept = scratch / "judged-candidate.jsonl"
    kept.unlink(missing_ok=True)  # of another one
    rows = [
        rows_of(task, 0, drawn, called=f"'{subjects[0].label}'", path=scratch / "judged-parent.jsonl", events=events),
        rows_of(task, 1, drawn, called=called, path=kept, events=events),
    ]
    (one,) = measured(task, rows, terms, events)
    worse = (one["other"] - one["value"]) * (1 if one["lower_is_better"] else -1)
    unit = one["value"] if quality.is_relative else quality.scale
    apart = one["difference"] or {}
    # The difference is the parent's less the candidate's, and a loss what is worse about the candidate.
    ends = [end / unit for end in (apart.get("low"), apart.get("high")) if end is not None]
    low, high = sorted(-end if one["lower_is_better"] else end for end in ends) if len(ends) == 2 else (None, None)
    events.measured("quality loss", worse / unit)
    return Lost(task.name, quality, one["value"], one["other"], worse / unit, low, high, drawn, task.details(rows[0]))


def require_quality(found: Lost, spec: QualitySpec, cure: str) -> None:
    """Raise :class:`GateMissed` where more was lost than is accepted."""
    quality = found.quality
    most = spec.accepted(quality.accepted)
    if most is None or found.loss <= most:  # what is no number is more than any
        return
    verb = "rises" if quality.is_relative else "falls"
    amount = f"{found.loss:.1%}" if quality.is_relative else f"{100 * found.loss:.2g} points"
    raise GateMissed(
        f"held-out {quality.measure} {verb} by {amount}, from {found.parent:.4g} to {found.candidate:.4g}, and "
        f"--max-quality-loss is {most:g}",
        cure=cure,
    )


def _terms(spec: QualitySpec) -> Terms:
    return Terms(
        split=spec.split, most=spec.most, seed=0, confidence=0.95, resamples=1000, window=_WINDOW, max_tokens=128,
        threads=None, device="auto", characters=_CHARACTERS,
    )  # fmt: skip


def _drawn(task: Task, dataset: Dataset, spec: QualitySpec, terms: Terms, events: Events) -> Draw:
    drawn = draw(dataset, terms.split, task.usable, most=terms.most, seed=terms.seed, events=events)
    if task.name == "language model":
        drawn = within(drawn, _bytes, spec.quality_tokens * _BYTES_A_TOKEN, seed=terms.seed)
    task.require_fit()
    return drawn


def _bytes(document: Mapping[str, Any]) -> int:
    texts = [document["text"]] if "text" in document else [one["content"] for one in document.get("messages", ())]
    texts += [document[side] for side in ("input", "output") if side in document]
    return sum(len(text[:_CHARACTERS].encode("utf-8", "replace")) for text in texts)
