"""Teaching a model by examples, whichever of its weights are changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from aictl.artifacts.capability import require_capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.events import Events
from aictl.finetune.spec import BatchSpec, SupervisedSpec
from aictl.training import conversations, examples, language_models
from aictl.training.batches import Batches, TokenBatch
from aictl.training.conversations import ConversationBatches, Conversations
from aictl.training.loop import Job, Outcome, fit
from aictl.training.packing import PackedConversations
from aictl.training.precision import Compute
from aictl.training.spec import OptimizerSpec
from aictl.training.tasks.language import use_document_attention
from aictl.training.world import World

LONGEST = 1024  # tokens of an example that are kept unless told otherwise

Load = Callable[[Checkpoint, Compute], PreTrainedModel]


@dataclass(frozen=True)
class Lesson:
    """A model and what it is taught."""

    model: PreTrainedModel
    training: Conversations
    batches: Batches
    held_out: list[TokenBatch]
    held_out_count: int
    noun: str
    world: World


def longest_of(spec: BatchSpec, checkpoint: Checkpoint) -> int:
    """Most tokens of an example. Raises :class:`BadRequest` for more than the model's context."""
    return examples.longest_of(spec.sequence_length, checkpoint, LONGEST)


def opened(
    checkpoint: Checkpoint, compute: Compute, load: Load, events: Events
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model and its tokenizer. Raises :class:`Damaged`."""
    tokenizer = language_models.load_tokenizer(checkpoint)
    task = f"load {checkpoint.label}"
    events.started(task)
    model = load(checkpoint, compute)
    events.finished(task)
    return model, tokenizer


def prepare(
    checkpoint: Checkpoint,
    dataset: Dataset,
    spec: SupervisedSpec,
    compute: Compute,
    *,
    load: Load,
    world: World,
    scratch: Path,
    events: Events,
) -> Lesson:
    """Load the checkpoint with ``load`` and encode the dataset.

    Raises :class:`BadRequest` for options that do not fit the checkpoint, :class:`WrongKind` for a dataset of another
    format, :class:`BadInput` for one from which nothing can be learnt.
    """
    require_capability(checkpoint.label, checkpoint.capability, "text-generation", command="finetune")
    dataset.require_format(*examples.FORMATS, cure="make one with `aictl data prep FILES --format chat`")
    longest = longest_of(spec.examples, checkpoint)
    model, tokenizer = opened(checkpoint, compute, load, events)
    if spec.examples.pack or compute.device.type == "cpu":
        use_document_attention(model, compute, required=spec.examples.pack)
    encoder = examples.encoder(dataset, tokenizer, language_models.end_ids(model, tokenizer), longest)
    with world.in_turn():
        training, validation = (
            examples.encode(dataset, split, encoder, scratch, events) for split in ("train", "validation")
        )
    language_models.require_match(model, max(int(split.ids.max()) for split in (training, validation)), checkpoint)
    size, most, seed = spec.examples.batch_size, spec.examples.held_out_examples, spec.loop.seed
    batches: Batches
    if spec.examples.pack:
        batches = PackedConversations(training, size, longest - 1, seed)
    else:
        batches = ConversationBatches(training, size, seed)
    held_out = conversations.held_out(validation, size, most)
    return Lesson(model, training, batches, held_out, min(most, len(validation)), examples.NOUNS[dataset.format], world)


def teach(
    model: torch.nn.Module,
    lesson: Lesson,
    spec: SupervisedSpec,
    optimizer: OptimizerSpec,
    compute: Compute,
    *,
    scratch: Path,
    events: Events,
) -> Outcome:
    """Train ``model``, the lesson's or one that wraps it. Raises :class:`WorkFailed` when training diverges."""
    assert optimizer.learning_rate is not None
    job = Job(
        model=model,
        batches=lesson.batches,
        held_out=lesson.held_out,
        max_steps=spec.max_steps,
        peak_rate=optimizer.learning_rate,
        optimizer=optimizer,
        loop=spec.loop,
        compute=compute,
        scratch=scratch,
        world=lesson.world,
    )
    outcome = fit(job, events)
    before, after = outcome.held_out_before, outcome.held_out_after
    if after >= before:
        events.noted(
            f"the tuning makes held-out {lesson.noun} less likely: loss {before:.3f} before, {after:.3f} after",
            "warning",
        )
    return outcome


def metrics(outcome: Outcome, lesson: Lesson) -> dict[str, Any]:
    """The numbers for the record of what was made."""
    found = outcome.metrics()
    found["held_out"][lesson.noun] = lesson.held_out_count
    found |= {"perplexity": outcome.perplexity, lesson.noun: len(lesson.training)}
    if isinstance(lesson.batches, PackedConversations):
        found["rows"] = lesson.batches.rows
    return found
