"""Language models with rounded weights: which way, and on what text."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.artifact import Artifact
from aictl.core.errors import BadRequest
from aictl.core.events import Events, silent
from aictl.inference.tokenizer import ModelTokenizer
from aictl.judging.documents import draw
from aictl.measure.stretches import in_plain, messages_of
from aictl.optimize import fused
from aictl.optimize.quality import Model
from aictl.optimize.rounding.calibration import Texts
from aictl.optimize.rounding.rounder import Report
from aictl.optimize.spec import QuantizeSpec, Rounding

_SHORTEST, _LONGEST = 16, 512  # tokens of a text that weights are rounded for: as a rule at least, and at most
_NAMED = 10  # matrices in the record


def quantize(
    model: Model, dataset: Dataset, spec: QuantizeSpec, folder: Path, *, scratch: Path, events: Events
) -> dict[str, Any]:
    """Write the rounded graph of ``model`` and what belongs to it into ``folder``; says how, as metrics.

    Raises :class:`BadRequest` for a model that does not lead back to weights, for an architecture without fused
    operators, and without text for a way of rounding that needs it.
    """
    weights = full_weights(model)
    way = _way(spec, dataset)
    texts: list[list[int]] = []
    if way not in ("rtn", "k-quant"):
        texts = list(calibration_texts(weights, dataset, spec.calibration_tokens))
    task = f"round the weights to {spec.method} by {way}"
    events.started(task)
    report = fused.build(weights, spec.method, folder, scratch, rounding=way, calibration=texts, events=events)
    events.finished(task)
    return told(report, way, texts)


def told(report: Report, way: Rounding, texts: Texts) -> dict[str, Any]:
    """How weights were rounded, as metrics."""
    worst = sorted(report.damage, key=lambda name: -report.damage[name])[:_NAMED]
    return {
        "rounding": {
            "way": way,
            "calibration_tokens": sum(map(len, texts)),
            "matrices_by_bits": {str(bits): count for bits, count in sorted(Counter(report.bits.values()).items())},
            "nats_lost_alone": {name: report.damage[name] for name in worst},
        }
    }


def full_weights(model: Model) -> Checkpoint | Adapter:
    """The full-precision weights behind a language model. Raises :class:`BadRequest` where there are none."""
    weights: Artifact | None = model.nearest(Adapter, Checkpoint)
    if not isinstance(weights, Adapter | Checkpoint):
        raise BadRequest(
            f"'{model.label}' does not lead back to a checkpoint or adapter, from which fused operators are built",
            cure="quantise the checkpoint or adapter itself",
        )
    return weights


def _way(spec: QuantizeSpec, dataset: Dataset) -> Rounding:
    """Eight bits lose next to nothing however they are rounded; four lose little only where they are rounded for
    text."""
    if spec.rounding is not None:
        return spec.rounding
    if spec.method == "int8":
        return "rtn"
    return "gptq" if dataset.splits.get("train") else "hqq"


def calibration_texts(weights: Checkpoint | Adapter, dataset: Dataset, tokens: int) -> Iterator[list[int]]:
    """Token ids of texts of the split train that are drawn at random, of each its beginning, until there are so many:
    the first may all be from one source."""
    if not dataset.splits.get("train"):
        return
    base = weights.base if isinstance(weights, Adapter) else weights
    tokenizer = ModelTokenizer(base.folder)
    longest, found = min(_LONGEST, base.context_length), 0
    drawn = draw(dataset, "train", lambda _: True, most=max(1, tokens // _SHORTEST), seed=0, events=silent)
    texts = [_read(tokenizer, one.document) for one in drawn.documents()]
    random.Random(0).shuffle(texts)  # they come in the dataset's order, and the last may not be needed
    for text in texts:
        ids = tokenizer.encode(text)[:longest]
        if ids:
            yield ids
            found += len(ids)
        if found >= tokens:
            return


def _read(tokenizer: ModelTokenizer, document: Mapping[str, Any]) -> str:
    """A text; or a conversation as the model has it before it, in plain words where it knows no chats."""
    if "text" in document:
        return str(document["text"])
    messages = messages_of(document)
    try:
        return tokenizer.render_chat(messages)
    except BadRequest:
        return in_plain(messages)
