"""A model becomes a front: the models made of it of which none is beaten by another in size, speed and quality."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aictl.artifacts.capability import require_capability
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.front import MODELS, Front
from aictl.core.errors import GateMissed
from aictl.core.events import Events
from aictl.optimize import networks
from aictl.optimize.auto.chart import draw
from aictl.optimize.auto.language_ways import LanguageWays
from aictl.optimize.auto.network_ways import NetworkWays
from aictl.optimize.auto.search import Search, Tried
from aictl.optimize.auto.spec import AutoSpec, Target
from aictl.optimize.quality import Lost, Model, heldout, require_judgeable

_LEAST: dict[Target, str] = {"latency": "cpu_s", "size": "size_bytes", "throughput": "per_s"}


def auto(
    model: Model, dataset: Dataset | None, spec: AutoSpec, folder: Path, *, scratch: Path, events: Events
) -> Front:
    """Write the front of ``model`` into ``folder``.

    Raises :class:`GateMissed` if nothing that was tried is better for the target than the model itself and loses no
    more than is accepted, and what :func:`aictl.optimize.quantize.quantize` raises of a model and a dataset.
    """
    require_capability(
        model.label, model.capability, "text-generation", *networks.CAPABILITIES, command="optimize auto"
    )
    held = heldout(model, dataset, scratch, events)
    require_judgeable(model, held, spec, scratch)
    kinds = LanguageWays if model.capability == "text-generation" else NetworkWays
    search = Search(model, held, spec, scratch, events)
    tried = search.run(kinds(model, held, spec, scratch, events))
    front = sorted((one for one in tried if one.is_in), key=lambda one: _rank(one.speed, spec.target))
    chosen = _chosen(front, tried, search.parent_speed, spec)
    assert chosen.found is not None
    (folder / MODELS).mkdir()
    for one in front:
        one.outcome = "front"
        shutil.move(one.folder, folder / MODELS / one.way.name)
    rest = [one for one in tried if one not in front]
    found = chosen.found
    facts = {
        "task": found.task,
        "parent": model.label,
        "dataset": held.label,
        "split": spec.split,
        "documents": len(found.draw),
        "measure": found.quality.measure,
        "is_relative": found.quality.is_relative,
        "target": spec.target,
        "accepted": spec.accepted(found.quality.accepted),
        "chosen": chosen.way.name,
        "models": [_parent(found, search.parent_speed), *(_entry(one) for one in [*front, *rest])],
    }
    Front.write(folder, facts)
    draw(folder, facts, events)
    made = Front(folder)
    best = made.entry(chosen.way.name)
    metrics = {name: best[name] for name in ("loss", "size_bytes", "cpu_s", "per_s", "speedup")}
    return Front(folder, metrics={"chosen": chosen.way.name, **metrics}, summary=made.in_a_line())


def _rank(speed: Mapping[str, Any], target: Target) -> float:
    """What a target has least of."""
    figures = _figures(speed)
    return -float(figures["per_s"]) if target == "throughput" else float(figures[_LEAST[target]])


def _chosen(front: Sequence[Tried], tried: Sequence[Tried], parent: Mapping[str, Any], spec: AutoSpec) -> Tried:
    best = _rank(parent, spec.target)
    for one in front:
        assert one.found is not None
        accepted = spec.accepted(one.found.quality.accepted)
        if (accepted is None or one.found.loss <= accepted) and _rank(one.speed, spec.target) < best:
            return one
    said = "; ".join(f"{one.way.name} {_why(one)}" for one in tried)
    raise GateMissed(
        f"nothing that was tried is better by {spec.target} and good enough: {said}",
        cure="accept more with --max-quality-loss",
    )


def _why(one: Tried) -> str:
    if one.found is None:
        return one.why
    return f"loses {one.found.loss:.3g} of {one.found.quality.measure}" + (f", {one.why}" if one.why else "")


def _parent(found: Lost, speed: Mapping[str, Any]) -> dict[str, Any]:
    judged = {"documents": len(found.draw), "value": found.parent, "loss": 0.0, "low": None, "high": None}
    return {"name": None, "options": {}, "outcome": "parent", "why": "", **judged, **_figures(speed), "rounding": None}


def _entry(one: Tried) -> dict[str, Any]:
    found = one.found
    return {
        "name": one.way.name,
        "options": dict(one.way.options),
        "outcome": one.outcome,
        "why": one.why,
        "documents": len(found.draw) if found else None,
        "value": found.candidate if found else None,
        "loss": found.loss if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        **_figures(one.speed),
        "rounding": one.about.get("rounding"),
    }


def _figures(speed: Mapping[str, Any]) -> dict[str, Any]:
    """Of a model in a comparison what a front keeps."""
    kept = {name: speed.get(name) for name in ("size_bytes", "cpu_s", "memory_bytes", "latency", "speedup")}
    return {**kept, "per_s": speed["throughput"][0]["per_s"] if speed else None}
