"""Full fine-tuning: every weight of a checkpoint learns from examples, but those that are frozen."""

from __future__ import annotations

from pathlib import Path

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.events import Events
from aictl.finetune import foresight, supervised
from aictl.finetune.spec import FullSpec
from aictl.finetune.weights import freeze, kept_dtype
from aictl.training import language_models, precision, saving
from aictl.training.ranks.joining import join
from aictl.training.tasks.classifiers import CLASSIFIERS


def finetune(
    checkpoint: Checkpoint,
    dataset: Dataset,
    spec: FullSpec,
    folder: Path,
    *,
    usable_bytes: float | None = None,
    scratch: Path,
    events: Events,
) -> Checkpoint:
    """Train ``checkpoint`` on and write what comes of it, with its tokenizer, into ``folder``.

    ``scratch`` holds the encoded examples and the state of the loop; a run that finds them goes on from there.
    Raises :class:`BadRequest` for options that do not fit the checkpoint, :class:`BadInput` for a dataset from which
    nothing can be learnt, :class:`MachineLacks` where ``usable_bytes`` of memory do not suffice, :class:`WorkFailed`
    when training diverges.
    """
    foresight.require_room(checkpoint, spec, usable_bytes)
    if checkpoint.capability in CLASSIFIERS:
        from aictl.finetune import classifying

        return classifying.full(checkpoint, dataset, spec, folder, scratch=scratch, events=events)
    compute = precision.choose(spec.precision)
    world = join(spec.parallel, compute, events)
    load = language_models.load_trainable
    lesson = supervised.prepare(
        checkpoint, dataset, spec, compute, load=load, world=world, scratch=scratch, events=events
    )
    model = lesson.model
    frozen = freeze(model, spec.freeze)
    outcome = supervised.teach(model, lesson, spec, spec.optimizer, compute, scratch=scratch, events=events)
    saving.save(model, folder, kept_dtype(spec.save_dtype, checkpoint))
    saving.copy_beside(checkpoint, folder)
    outcome.leave(folder, events)
    metrics = supervised.metrics(outcome, lesson) | {
        "parameters": model.num_parameters(),
        "trained_parameters": model.num_parameters() - frozen,
    }
    before, after = outcome.held_out_before, outcome.held_out_after
    summary = f"{checkpoint.label} tuned in full, held-out loss {before:.3f} to {after:.3f}"
    return Checkpoint(folder, metrics=metrics, summary=summary)
