"""LoRA: learn a low-rank change of each matrix from examples, and keep the changes apart."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedModel

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.events import Events
from aictl.finetune import adapting, foresight, supervised
from aictl.finetune.spec import LoraSpec
from aictl.finetune.supervised import Load
from aictl.training import language_models, precision
from aictl.training.precision import Compute
from aictl.training.ranks.joining import join
from aictl.training.tasks.classifiers import CLASSIFIERS


def finetune(
    checkpoint: Checkpoint,
    dataset: Dataset,
    spec: LoraSpec,
    folder: Path,
    *,
    usable_bytes: float | None = None,
    scratch: Path,
    events: Events,
    load: Load = language_models.load,
) -> Adapter:
    """Train an adapter of ``checkpoint``, which ``load`` loads frozen, and write it into ``folder``.

    ``scratch`` holds the encoded examples and the state of the loop; a run that finds them
    goes on from there. Raises :class:`BadRequest` for a checkpoint without a chat template that is to learn
    conversations and for options that do not fit it, :class:`BadInput` for a dataset from which nothing can be
    learnt, :class:`MachineLacks` where ``usable_bytes`` of memory do not suffice, :class:`WorkFailed` when training
    diverges.
    """
    foresight.require_room(checkpoint, spec, usable_bytes)
    if checkpoint.capability in CLASSIFIERS:
        from aictl.finetune import classifying

        return classifying.adapter(checkpoint, dataset, spec, folder, scratch=scratch, events=events)
    compute = precision.choose(spec.precision)

    def checked(given: Checkpoint, compute: Compute) -> PreTrainedModel:
        """The model, once it is known to have what is to be adapted: encoding a dataset takes longer."""
        model = load(given, compute)
        adapting.require_modules(model, spec.low_rank)
        return model

    world = join(spec.parallel, compute, events)
    lesson = supervised.prepare(
        checkpoint, dataset, spec, compute, load=checked, world=world, scratch=scratch, events=events
    )
    adapted = adapting.adapt(lesson.model, spec.low_rank, spec.loop.seed, scratch, compiled=compute.compiled)
    outcome = supervised.teach(adapted, lesson, spec, spec.optimizer, compute, scratch=scratch, events=events)
    adapting.save(adapted, checkpoint, folder, scratch)
    outcome.leave(folder, events)
    metrics = supervised.metrics(outcome, lesson) | adapting.parameters(adapted)
    before, after = outcome.held_out_before, outcome.held_out_after
    summary = f"rank {spec.low_rank.rank} on {checkpoint.label}, held-out loss {before:.3f} to {after:.3f}"
    return Adapter(folder, metrics=metrics, summary=summary)
