"""A model becomes a quantised ONNX artifact that has been measured against what it came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import require_capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import Artifact
from aictl.core.errors import BadRequest, GateMissed
from aictl.core.events import Events
from aictl.inference.load import load
from aictl.measure.parity import parity
from aictl.measure.perplexity import Window, heldout, perplexity
from aictl.measure.speed import SpeedUp, race, speed_up
from aictl.optimize.fused import build
from aictl.optimize.spec import QuantizeSpec

Model = OnnxModel | Checkpoint | Adapter

DECODED = 24  # tokens of each text that are decoded one by one to measure speed
RACED = 2  # texts that are raced on


def quantize(
    model: Model, dataset: Dataset | None, spec: QuantizeSpec, folder: Path, *, scratch: Path, events: Events
) -> OnnxModel:
    """Write the quantised form of ``model`` into ``folder``.

    Raises :class:`BadRequest` if the weights or a held-out text to measure on cannot be found,
    :class:`GateMissed` if quality or speed miss what ``spec`` asks for.
    """
    require_capability(model.label, model.capability, "text-generation", command="optimize quantize")
    weights = _weights(model)
    dataset = dataset or _ancestor_dataset(model)
    events.started(f"round the weights to {spec.method}")
    build(weights, spec.method, folder, scratch)
    events.finished(f"round the weights to {spec.method}")

    candidate = OnnxModel(folder)
    metrics = _quality(model, candidate, dataset, spec, events)
    _require_quality(metrics, spec)
    speed = _speed(model, candidate, metrics.pop("texts"), events)
    metrics["parent"] |= speed["parent"]
    metrics["candidate"] |= speed["candidate"]
    metrics["speedup"] = speed["speedup"]
    _require_speed(SpeedUp(**speed["speedup"]), spec)
    return OnnxModel(
        folder,
        metrics=metrics,
        summary=f"{spec.method}, {candidate.weights_bytes / 1e6:.3g} MB, {metrics['speedup']['ratio']:.2g}x as fast, "
        f"perplexity {metrics['quality_loss']:+.1%}",
    )


def _weights(model: Model) -> Checkpoint | Adapter:
    """The full-precision weights behind a model."""
    if isinstance(model, OnnxModel) and model.facts["precision"] != "fp32":
        raise BadRequest(
            f"'{model.label}' is {model.facts['precision']} already",
            cure="quantise the model that it was made from; `aictl artifact lineage` shows which",
        )
    weights: Artifact | None = model.nearest(Adapter, Checkpoint)
    if not isinstance(weights, Adapter | Checkpoint):
        raise BadRequest(
            f"'{model.label}' does not lead back to a checkpoint or adapter, from which fused operators are built",
            cure="quantise the checkpoint or adapter itself",
        )
    return weights


def _ancestor_dataset(model: Model) -> Dataset:
    dataset = model.nearest(Dataset)
    if dataset is None:
        raise BadRequest(
            f"'{model.label}' was not made from a dataset here, so there is no held-out text to measure quality on",
            cure="pass one: --dataset NAME",
        )
    return dataset


def _quality(
    model: Model, candidate: OnnxModel, dataset: Dataset, spec: QuantizeSpec, events: Events
) -> dict[str, Any]:
    before, after = load(model, device="cpu"), load(candidate, device="cpu")
    windows = heldout(before, dataset, tokens=spec.quality_tokens, split=spec.split)
    parent = perplexity(before, windows, events=events, task="perplexity before")
    rounded = perplexity(after, windows, events=events, task="perplexity after")
    texts = _texts(windows)
    agreement = parity(before, after, texts)
    before.close()
    after.close()
    loss = rounded / parent - 1
    events.measured("quality loss", loss)
    return {
        "parent": {"perplexity": parent, "size_bytes": _size(model)},
        "candidate": {"perplexity": rounded, "size_bytes": candidate.weights_bytes},
        "quality_loss": loss,
        "quality_tokens": sum(window.predicted for window in windows),
        "logits": {"worst_difference": agreement.worst, "same_choice": agreement.agreement},
        "texts": texts,
    }


def _texts(windows: list[Window]) -> list[list[int]]:
    """What the models are raced on: held-out text, in stretches long enough to decode."""
    length = min(4 * DECODED, max(len(window.ids) for window in windows))
    ids = [token for window in windows for token in window.ids]
    while len(ids) < DECODED + 1:  # a few words of held-out text: the speed is that of any text
        ids += ids
    length = max(length, DECODED + 1)
    return [part for start in range(0, RACED * length, length) if len(part := ids[start : start + length]) > DECODED]


def _speed(model: Model, candidate: OnnxModel, texts: list[list[int]], events: Events) -> dict[str, dict[str, float]]:
    """Both on one thread, in interleaved rounds."""
    contestants = {
        "parent": load(model, threads=1, device="cpu"),
        "candidate": load(candidate, threads=1, device="cpu"),
    }
    speeds = race(contestants, texts, decoded=DECODED, events=events)
    for generator in contestants.values():
        generator.close()
    gained = speed_up(speeds["parent"], speeds["candidate"])
    events.measured("speed-up of decoding", gained.ratio)
    rates = {
        name: {"prefill_tokens_per_s": one.prefill_tokens_per_s, "decode_tokens_per_s": one.decode_tokens_per_s}
        for name, one in speeds.items()
    }
    return {**rates, "speedup": {"ratio": gained.ratio, "low": gained.low, "high": gained.high}}


def _require_quality(metrics: dict[str, Any], spec: QuantizeSpec) -> None:
    if not metrics["quality_loss"] <= spec.max_quality_loss:
        raise GateMissed(
            f"held-out perplexity rises by {metrics['quality_loss']:.1%}, from {metrics['parent']['perplexity']:.4g} "
            f"to {metrics['candidate']['perplexity']:.4g}, and --max-quality-loss is {spec.max_quality_loss:.1%}",
            cure="accept more with --max-quality-loss"
            if spec.method == "int8"
            else "try --method int8, or accept more with --max-quality-loss",
        )


def _require_speed(gained: SpeedUp, spec: QuantizeSpec) -> None:
    if spec.require_speedup is not None and gained.high < spec.require_speedup:
        raise GateMissed(
            f"decoding is {gained.ratio:.2f} times as fast (95% confidence {gained.low:.2f} to {gained.high:.2f}), "
            f"and --require-speedup is {spec.require_speedup:g}"
        )


def _size(model: Model) -> int:
    if isinstance(model, OnnxModel):
        return model.weights_bytes
    base = model.base if isinstance(model, Adapter) else model
    return sum(path.stat().st_size for path in base.weights())
