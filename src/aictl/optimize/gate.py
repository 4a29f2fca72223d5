"""The gate: a candidate is held against its parent in one run, and kept only if it is worth it.

    sizes ─▶ quality on the same held-out documents ─▶ what comes out ─▶ speed, in turns

Each is measured of both, and each may end it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import Any

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.onnx import OnnxModel
from aictl.artifacts.quantity import change
from aictl.core.errors import GateMissed
from aictl.core.events import Events
from aictl.judging.documents import Draw
from aictl.judging.subject import subject
from aictl.measure.parity import parity
from aictl.measure.speed import SpeedUp, race, speed_up
from aictl.optimize.contestants import Contestant, Encoder, contestant
from aictl.optimize.page import write_page
from aictl.optimize.quality import Model, lost, require_quality
from aictl.optimize.spec import GateSpec

_RACED_DOCUMENTS = 64  # that speed is measured on, at most


def weigh(
    parent: Model,
    candidate: Model,
    dataset: Dataset,
    spec: GateSpec,
    *,
    cure: str = "accept more with --max-quality-loss, or round less",
    scratch: Path,
    events: Events,
) -> dict[str, Any]:
    """The metrics of a candidate that passes; a page about it lies beside it then. ``cure`` is what to do about quality
    that is lost.

    Raises :class:`GateMissed` for one that does not, and what judging and loading the two raises.
    """
    sizes = {"parent": size_bytes(parent), "candidate": size_bytes(candidate)}
    events.measured("size, share of the parent's", sizes["candidate"] / sizes["parent"])
    _require_size(sizes, spec)
    found = lost(parent, candidate, dataset, spec, scratch=scratch, events=events)
    require_quality(found, spec, cure)
    name = found.quality.measure
    metrics: dict[str, Any] = {
        "parent": {name: found.parent, "size_bytes": sizes["parent"]},
        "candidate": {name: found.candidate, "size_bytes": sizes["candidate"]},
        "quality_loss": found.loss,
        "quality": {
            "measure": name,
            "is_relative": found.quality.is_relative,
            "low": found.low,
            "high": found.high,
            "dataset": dataset.label,
            "split": spec.split,
            "documents": len(found.draw),
            **{name: count for name, count in found.details.items() if name == "tokens"},
        },
    }
    _compare(parent, candidate, found.draw, metrics, scratch=scratch, events=events)
    _require_speed(SpeedUp(**metrics["speedup"]), spec)
    write_page(candidate.folder, parent.label, found.task, metrics)
    return metrics


def told(metrics: Mapping[str, Any], what: str) -> str:
    """A candidate's metrics in a line."""
    quality = metrics["quality"]
    lost = change(quality["measure"], metrics["quality_loss"], is_relative=quality["is_relative"])
    size, ratio = metrics["candidate"]["size_bytes"], metrics["speedup"]["ratio"]
    return f"{what}, {size / 1e6:.3g} MB, {ratio:.2g}x as fast, {lost}"


def size_bytes(model: Model) -> int:
    """The weights of a model, of an adapter those of its base, on disk."""
    if isinstance(model, OnnxModel):
        return model.weights_bytes
    base = model.base if isinstance(model, Adapter) else model
    return sum(path.stat().st_size for path in base.weights())


def _compare(
    parent: Model, candidate: Model, drawn: Draw, metrics: dict[str, Any], *, scratch: Path, events: Events
) -> None:
    """What comes out, and how fast, of both on the same inputs."""
    documents = list(islice(drawn.documents(), _RACED_DOCUMENTS))
    subjects = {"parent": subject(parent), "candidate": subject(candidate)}
    with ExitStack() as stack:
        both = {
            name: stack.enter_context(closing(contestant(one, documents, scratch))) for name, one in subjects.items()
        }
        metrics["outputs"] = _alike(both["parent"], both["candidate"])
        times = race({name: one.round for name, one in both.items()}, events=events)
        for name, one in both.items():
            metrics[name] |= one.figures(times[name])
        gained = speed_up(*(times[name][one.phase] for name, one in both.items()))
    events.measured("speed-up", gained.ratio)
    metrics["speedup"] = {"ratio": gained.ratio, "low": gained.low, "high": gained.high}


def _alike(parent: Contestant, candidate: Contestant) -> dict[str, float]:
    """How near what comes out is. Vectors of another width have no numbers in common: of them it is how alike each
    finds any two of the inputs."""
    wanted, got = parent.outputs(), candidate.outputs()
    if not (isinstance(parent, Encoder) and isinstance(candidate, Encoder)):
        found = parity(wanted, got)
        return {"worst_difference": found.worst, "same_choice": found.agreement}
    if wanted[0].shape[-1] != got[0].shape[-1]:
        return {"worst_likeness_difference": parity([parent.likeness()], [candidate.likeness()]).worst}
    found = parity(wanted, got)
    return {"worst_difference": found.worst, "least_cosine": found.cosine}


def _require_size(sizes: Mapping[str, int], spec: GateSpec) -> None:
    share = sizes["candidate"] / sizes["parent"]
    if spec.max_size is not None and share > spec.max_size:
        raise GateMissed(
            f"it has {sizes['candidate'] / 1e6:.3g} MB, {share:.2f} of its parent's {sizes['parent'] / 1e6:.3g} MB, "
            f"and --max-size is {spec.max_size:g}"
        )


def _require_speed(gained: SpeedUp, spec: GateSpec) -> None:
    if spec.require_speedup is not None and gained.high < spec.require_speedup:
        raise GateMissed(
            f"it is {gained.ratio:.2f} times as fast (95% confidence {gained.low:.2f} to {gained.high:.2f}), and "
            f"--require-speedup is {spec.require_speedup:g}"
        )
