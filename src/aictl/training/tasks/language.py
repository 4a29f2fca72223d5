"""Going on with texts: a language model that has learnt, made ready to learn more of a dataset's examples."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedModel

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.training import attention, conversations, examples, language_models
from aictl.training.batches import TokenBatch
from aictl.training.conversations import ConversationBatches
from aictl.training.objective import judged_by, means, next_token_loss
from aictl.training.precision import Compute
from aictl.training.tasks.lesson import Lesson


class Reading(NamedTuple):
    """How a language model is taught: examples in a batch, those that are judged while it trains, and the most tokens
    of one."""

    batch_size: int
    held_out: int
    longest: int
    seed: int


def open_language_model(
    checkpoint: Checkpoint, dataset: Dataset, how: Reading, compute: Compute, *, scratch: Path, events: Events
) -> tuple[PreTrainedModel, Lesson]:
    """The checkpoint's model in float32, with every weight to be trained, and the lesson.

    Raises :class:`WrongKind` for a dataset of another format, :class:`BadInput` for one from which nothing can be
    learnt.
    """
    model = language_models.load_trainable(checkpoint, compute)
    return model, lesson(checkpoint, model, dataset, how, compute, scratch=scratch, events=events)


def lesson(
    checkpoint: Checkpoint,
    model: PreTrainedModel,
    dataset: Dataset,
    how: Reading,
    compute: Compute,
    *,
    scratch: Path,
    events: Events,
) -> Lesson:
    """What ``model`` learns of a dataset, read by the tokenizer of ``checkpoint``."""
    tokenizer = language_models.load_tokenizer(checkpoint)
    if compute.device.type == "cpu":
        use_document_attention(model, compute, required=False)
    encoder = examples.encoder(dataset, tokenizer, language_models.end_ids(model, tokenizer), how.longest)
    learnt, tested = (examples.encode(dataset, split, encoder, scratch, events) for split in ("train", "validation"))
    language_models.require_match(model, max(int(split.ids.max()) for split in (learnt, tested)), checkpoint)
    judge = judged_by(next_token_loss)
    everything: list[TokenBatch] = conversations.held_out(tested, how.batch_size, len(tested))
    return Lesson(
        batches=ConversationBatches(learnt, how.batch_size, how.seed),
        held_out=conversations.held_out(tested, how.batch_size, how.held_out),
        examples=len(learnt),
        objective=next_token_loss,
        judge=judge,
        examine=lambda one, compute: means(one, everything, compute, judge),
        primary="loss",
    )


def use_document_attention(model: PreTrainedModel, compute: Compute, *, required: bool) -> None:
    """Attend by document: what packing needs, and on a CPU the faster for short examples. A compiled model keeps
    transformers' own, which masks. Raises :class:`BadRequest` if it is ``required`` and the model's kind forbids it."""
    if compute.compiled:
        return
    try:
        attention.install(model)
    except BadRequest:
        if required:
            raise
