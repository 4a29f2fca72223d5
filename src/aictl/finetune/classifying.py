"""Classifiers of texts and pictures, tuned on labelled ones; the head is trained in full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import ABILITIES
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.finetune import adapting
from aictl.finetune.spec import FullSpec, LoraSpec, SupervisedSpec
from aictl.finetune.supervised import longest_of
from aictl.finetune.weights import freeze, kept_dtype
from aictl.training import precision, saving
from aictl.training.loop import Outcome
from aictl.training.precision import Compute
from aictl.training.ranks.joining import join
from aictl.training.tasks.classifiers import Teaching, open_classifier, require_classes
from aictl.training.tasks.labels import Labels
from aictl.training.tasks.lesson import Lesson, Run, teach


def adapter(
    checkpoint: Checkpoint, dataset: Dataset, spec: LoraSpec, folder: Path, *, scratch: Path, events: Events
) -> Adapter:
    """Train an adapter of a classifier and write it into ``folder``, its head in full.

    Raises :class:`BadRequest` for other classes than the checkpoint's, since an adapter cannot rename them, and for a
    network with batch normalisation, whose statistics an adapter does not hold; :class:`BadInput` for labels that
    cannot be learnt.
    """
    assert checkpoint.capability is not None
    compute = precision.choose(spec.precision)
    require_classes(
        checkpoint,
        Labels(dataset).names,
        why="an adapter keeps those of its checkpoint, in their order",
        cure="aictl finetune full, which makes a checkpoint with the dataset's classes",
    )
    world = join(spec.parallel, compute, events)
    with world.in_turn():
        model, lesson = _prepare(checkpoint, dataset, spec, scratch=scratch, events=events)
    if any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        raise BadRequest(
            f"'{checkpoint.label}' has batch normalisation, and an adapter would not hold its statistics",
            cure="aictl finetune full",
        )
    model.requires_grad_(False)
    heads = heads_of(model)
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and name not in heads:
            module.to(compute.dtype)
    task_type = ABILITIES[checkpoint.capability].task_type
    adapted = adapting.adapt(
        model,
        spec.low_rank,
        spec.loop.seed,
        scratch,
        compiled=compute.compiled,
        task_type=task_type,
        heads=heads,
    )
    run = Run(spec.max_steps, spec.optimizer.learning_rate, spec.optimizer, spec.loop, compute, world, scratch)
    outcome = teach(adapted, lesson, run, events)
    adapting.save(adapted, checkpoint, folder, scratch)
    outcome.leave(folder, events)
    metrics = _metrics(outcome, adapted, lesson, compute) | adapting.parameters(adapted)
    summary = f"rank {spec.low_rank.rank} on {checkpoint.label}, {_accuracy(metrics)}"
    return Adapter(folder, metrics=metrics, summary=summary)


def full(
    checkpoint: Checkpoint, dataset: Dataset, spec: FullSpec, folder: Path, *, scratch: Path, events: Events
) -> Checkpoint:
    """Train a classifier on and write what comes of it into ``folder``; for other classes than the checkpoint's it
    gets a new head. Raises :class:`BadRequest` and :class:`BadInput` for options and labels that do not fit."""
    compute = precision.choose(spec.precision)
    world = join(spec.parallel, compute, events)
    with world.in_turn():
        model, lesson = _prepare(checkpoint, dataset, spec, scratch=scratch, events=events)
    frozen = freeze(model, spec.freeze)
    run = Run(spec.max_steps, spec.optimizer.learning_rate, spec.optimizer, spec.loop, compute, world, scratch)
    outcome = teach(model, lesson, run, events)
    metrics = _metrics(outcome, model, lesson, compute)
    saving.save(model, folder, kept_dtype(spec.save_dtype, checkpoint))
    saving.copy_beside(checkpoint, folder)
    outcome.leave(folder, events)
    total = model.num_parameters()
    metrics |= {"parameters": total, "trained_parameters": total - frozen}
    return Checkpoint(folder, metrics=metrics, summary=f"{checkpoint.label} tuned in full, {_accuracy(metrics)}")


def heads_of(model: PreTrainedModel) -> list[str]:
    """The linear layers that put out the classes, by name. Raises :class:`BadRequest` for a network without."""
    count = model.config.num_labels
    linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    heads = [name for name in linear if model.get_submodule(name).out_features == count][-1:]
    if not heads:
        raise BadRequest(f"no linear layer of this {model.config.model_type} puts out its {count} classes")
    return heads


def _prepare(
    checkpoint: Checkpoint, dataset: Dataset, spec: SupervisedSpec, *, scratch: Path, events: Events
) -> tuple[PreTrainedModel, Lesson]:
    if spec.examples.pack:
        raise BadRequest("--pack is for language models: a classifier says one thing of a row", cure="leave it out")
    how = Teaching(
        batch_size=spec.examples.batch_size,
        held_out=spec.examples.held_out_examples,
        longest=longest_of(spec.examples, checkpoint) if checkpoint.capability == "text-classification" else 0,
        pictures=spec.pictures,
        seed=spec.loop.seed,
    )
    return open_classifier(checkpoint, dataset, how, scratch=scratch, events=events)


def _metrics(outcome: Outcome, model: torch.nn.Module, lesson: Lesson, compute: Compute) -> dict[str, Any]:
    metrics = outcome.metrics()
    metrics["held_out"] |= dict(lesson.examine(model, compute))
    return metrics | dict(lesson.facts) | {"examples": lesson.examples}


def _accuracy(metrics: dict[str, Any]) -> str:
    return f"held-out accuracy {metrics['held_out']['accuracy']:.1%}"
