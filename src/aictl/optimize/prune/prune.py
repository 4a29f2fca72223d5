"""Pruning: what does little is left out, the rest may recover, and the result is measured beside what it came from."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import safe_open

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.events import Events, silent
from aictl.optimize.gate import told, weigh
from aictl.optimize.lessons import Opened, dataset_behind, foreseen, open_lesson, require_known, train, write
from aictl.optimize.prune import cutting, importance, sparse
from aictl.optimize.prune.anatomy import Body
from aictl.optimize.prune.calibration import calibration_of
from aictl.optimize.prune.spec import PruneSpec, refuse_contradictions
from aictl.optimize.quality import lost, require_judgeable
from aictl.training import precision
from aictl.training.forecast import Forecast
from aictl.training.precision import Compute
from aictl.training.state import disk


def prune(
    checkpoint: Checkpoint,
    dataset: Dataset | None,
    spec: PruneSpec,
    folder: Path,
    *,
    usable_bytes: float | None = None,
    scratch: Path,
    events: Events,
) -> Checkpoint:
    """Write a pruned form of ``checkpoint`` into ``folder``.

    ``scratch`` holds the pruned model and the state of its recovery; a run that finds them goes on from there. Raises
    :class:`WrongKind` for a model that is neither a language model nor a classifier, :class:`BadRequest` for options
    that do not fit it, :class:`GateMissed` where more quality is lost than ``spec`` allows, :class:`MachineLacks` where
    ``usable_bytes`` of memory do not suffice to recover, :class:`WorkFailed` when training diverges.
    """
    refuse_contradictions(spec)
    dataset = dataset_behind(checkpoint, dataset)
    require_known(checkpoint, dataset, "prune")
    require_judgeable(checkpoint, dataset, spec.gate, scratch)
    compute = precision.choose(spec.precision)
    made = _pruned(checkpoint, dataset, spec, compute, scratch=scratch, events=events)
    recovery: dict[str, Any] = {}
    if spec.recover_steps:
        left = lost(checkpoint, made, dataset, spec.gate, called="what is left", scratch=scratch, events=events)
        recovery["pruned"] = {left.quality.measure: left.candidate, "quality_loss": left.loss}
        made = _recovered(
            made, dataset, spec, compute, folder, usable_bytes=usable_bytes, scratch=scratch, events=events
        )
        recovery["recovery"] = dict(made.metrics)
    more = "more --recover-steps" if spec.recover_steps else "--recover-steps N"
    metrics = weigh(
        checkpoint,
        made,
        dataset,
        spec.gate,
        cure=f"leave out less, give {more}, or accept more with --max-quality-loss",
        scratch=scratch,
        events=events,
    )
    if not spec.recover_steps:
        with disk(folder):
            shutil.copytree(made.folder, folder, dirs_exist_ok=True)
    for name, one in (("parent", checkpoint), ("candidate", made)):
        metrics[name]["parameters"] = one.brief().parameters
    metrics |= {**recovery, **_left_out(made, checkpoint, spec)}
    share = metrics["left_out"]
    return Checkpoint(folder, metrics=metrics, summary=told(metrics, f"{spec.method}, {share:.0%} left out"))


def foresee(
    checkpoint: Checkpoint, dataset: Dataset | None, spec: PruneSpec, *, usable_bytes: float | None
) -> Forecast | None:
    """What recovering would take at most, were nothing left out; None where there is no recovery."""
    if not spec.recover_steps:
        return None
    refuse_contradictions(spec)
    dataset = dataset_behind(checkpoint, dataset)
    require_known(checkpoint, dataset, "prune")
    compute = precision.choose(spec.precision)
    with TemporaryDirectory(prefix="aictl-dry-run-") as scratch:
        opened = open_lesson(checkpoint, dataset, spec, compute, scratch=Path(scratch), events=silent)
        return foreseen(opened, spec, spec.recover_steps, compute, usable_bytes=usable_bytes, timed=True)


def _pruned(
    checkpoint: Checkpoint, dataset: Dataset, spec: PruneSpec, compute: Compute, *, scratch: Path, events: Events
) -> Checkpoint:
    """The pruned model in ``scratch``, made now unless it is there."""
    done = scratch / "pruned"
    if not done.is_dir():
        partial = scratch / "pruned.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        opened = open_lesson(checkpoint, dataset, spec, compute, scratch=scratch, events=events)
        write(_smaller(opened, spec, compute, events), checkpoint, partial)
        partial.rename(done)
    return Checkpoint(done, name=checkpoint.label)


def _smaller(opened: Opened, spec: PruneSpec, compute: Compute, events: Events) -> Any:
    torch.manual_seed(spec.loop.seed)
    calibration = calibration_of(opened.model, opened.lesson, spec.calibration_examples, compute)
    if spec.method != "structured":
        sparse.prune(opened.model, spec, calibration, events)
        return opened.model
    body = Body(opened.model)
    stays = cutting.left(body, spec.cut, spec.share)
    return cutting.cut(body, stays, importance.measure(body, calibration, events))


def _recovered(
    pruned: Checkpoint,
    dataset: Dataset,
    spec: PruneSpec,
    compute: Compute,
    folder: Path,
    *,
    usable_bytes: float | None,
    scratch: Path,
    events: Events,
) -> Checkpoint:
    opened = open_lesson(pruned, dataset, spec, compute, scratch=scratch, events=events)
    constrain = None
    if spec.method != "structured":
        convolutions = spec.method == "magnitude"
        constrain = sparse.KeptZeros(opened.model, list(sparse.matrices(opened.model, convolutions=convolutions)))
    outcome = train(
        opened,
        spec,
        spec.recover_steps,
        compute,
        rate=spec.optimizer.learning_rate,
        usable_bytes=usable_bytes,
        scratch=scratch,
        events=events,
        constrain=constrain,
    )
    write(opened.model, pruned, folder)
    outcome.leave(folder, events)
    return Checkpoint(folder, metrics=outcome.metrics())


def _left_out(made: Checkpoint, parent: Checkpoint, spec: PruneSpec) -> dict[str, Any]:
    """How much smaller it is: in parameters, or in those that are not zero."""
    few, many = made.brief().parameters, parent.brief().parameters
    assert few and many
    if spec.method == "structured":
        return {"left_out": 1 - few / many}
    return {"left_out": zeros(made) / few, "zeros": zeros(made)}


def zeros(checkpoint: Checkpoint) -> int:
    """Weights of a checkpoint that are zero."""
    total = 0
    for path in checkpoint.weights():
        with safe_open(path, framework="pt") as file:
            total += sum(int((file.get_tensor(name) == 0).sum()) for name in file.keys())  # noqa: SIM118
    return total
