"""What is minimised, and what held-out batches are judged by. Both are sums over the targets of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F

from aictl.training import attention
from aictl.training.batches import IGNORED, FieldBatch, TokenBatch
from aictl.training.head import bare, cross_entropy, hidden_states, plain_head
from aictl.training.passes import in_step
from aictl.training.precision import Compute
from aictl.training.world import ALONE, World

Objective = Callable[[torch.nn.Module, Any], torch.Tensor]
Judge = Callable[[torch.nn.Module, Any], Mapping[str, torch.Tensor | float]]
Constrain = Callable[[torch.nn.Module], None]


def judged_by(objective: Objective) -> Judge:
    """A judge of the loss alone."""
    return lambda model, batch: {"loss": objective(model, batch)}


def next_token_loss(model: torch.nn.Module, batch: TokenBatch) -> torch.Tensor:
    """Sum over the batch's targets of -log p(target), in nats, as a float32 scalar.

    Sequences are padded on the right, so that causal attention keeps padding out without a mask.
    """
    head = plain_head(bare(model))
    targets = batch.targets.flatten()
    given = attention.arguments(bare(model), batch)
    if head is None:
        with _head_sees_only(model, batch):
            logits = model(input_ids=batch.inputs, use_cache=False, **given).logits.flatten(0, 1)
        if len(logits) != len(targets):  # the head saw the positions with a target alone
            targets = targets[targets != IGNORED]
        return F.cross_entropy(logits.float(), targets, ignore_index=IGNORED, reduction="sum")
    with hidden_states(head):
        hidden = model(input_ids=batch.inputs, use_cache=False, **given).logits.flatten(0, 1)
    if not batch.dense:
        wanted = targets != IGNORED
        hidden, targets = hidden[wanted], targets[wanted]
    return cross_entropy(hidden, head, targets)


def target_losses(model: torch.nn.Module, batch: TokenBatch) -> torch.Tensor:
    """-log p of each of the batch's targets, in nats, float32 of shape (counted,), row by row."""
    logits, _ = target_logits(model, batch)
    return F.cross_entropy(logits, batch.targets[batch.targets != IGNORED], reduction="none")


def target_logits(model: torch.nn.Module, batch: TokenBatch, **asked: Any) -> tuple[torch.Tensor, Any]:
    """The logits at the batch's targets, float32 of shape (counted, vocabulary), row by row; and all that the model
    gave, for which ``forward`` may be ``asked`` more."""
    wanted = batch.targets != IGNORED
    with _head_sees_only(model, batch):
        given = attention.arguments(bare(model), batch)
        found = model(input_ids=batch.inputs, use_cache=False, **given, **asked)
    logits = found.logits
    chosen = logits[0] if logits.shape[:2] != batch.targets.shape else logits[wanted]
    return chosen.float(), found


def own_loss(model: torch.nn.Module, batch: FieldBatch) -> torch.Tensor:
    """Sum over the batch's targets of the loss that the model itself computes, which is a mean over them:
    that of encoder-decoders, detectors and dual encoders."""
    return model(**batch.fields).loss.float() * batch.counted


def class_loss(model: torch.nn.Module, batch: FieldBatch) -> torch.Tensor:
    """Sum over the batch's rows of -log p(label), in nats. The labels are the field ``labels``, int64 of
    shape (rows,)."""
    return F.cross_entropy(class_logits(model, batch), batch.fields["labels"], reduction="sum")


def judge_classes(model: torch.nn.Module, batch: FieldBatch) -> Mapping[str, torch.Tensor]:
    """The loss of :func:`class_loss`, and how many of the rows have their label as the likeliest."""
    logits, labels = class_logits(model, batch), batch.fields["labels"]
    right = (logits.argmax(dim=-1) == labels).sum()
    return {"loss": F.cross_entropy(logits, labels, reduction="sum"), "accuracy": right}


def class_logits(model: torch.nn.Module, batch: FieldBatch) -> torch.Tensor:
    """float32 of shape (rows, classes)."""
    given = {name: value for name, value in batch.fields.items() if name != "labels"}
    return model(**given).logits.float()


def means(
    model: torch.nn.Module, batches: Sequence[Any], compute: Compute, judge: Judge, world: World = ALONE
) -> dict[str, float]:
    """What ``judge`` sums over parts of held-out batches, per target, with the model in evaluation mode. A mean loss
    is in nats; of tokens its exponential is the perplexity. Several processes take every so manieth part."""
    training = model.training
    model.eval()
    totals: dict[str, float] = {}
    counted = 0.0
    parts = [part for batch in batches for part in batch.parts(compute.tokens_at_once)]
    for part, weight in in_step(parts[world.rank :: world.ranks], lambda: parts[0], world):
        with torch.no_grad(), compute.autocast():
            for name, value in judge(model, part.to(compute.device)).items():
                totals[name] = totals.get(name, 0.0) + float(value) * weight
        counted += part.counted * weight
    model.train(training)
    *sums, counted = world.sums([*totals.values(), counted])
    return {name: total / counted for name, total in zip(totals, sums, strict=True)}


@contextmanager
def _head_sees_only(model: torch.nn.Module, batch: TokenBatch) -> Iterator[None]:
    """Let only positions with a target reach the output head.

    With a vocabulary of 50,000 the head costs as much as a small model's layers, and in chat
    data most positions are not the assistant's. Hooking the head keeps whatever the model does to
    its logits afterwards (scaling, capping). A compiled model computes all of them.
    """
    compiled = hasattr(model, "_orig_mod")
    head = None if batch.dense or compiled else bare(model).get_output_embeddings()
    if head is None:
        yield
        return
    wanted = batch.targets != IGNORED

    def select(module: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (arguments[0][wanted].unsqueeze(0), *arguments[1:])

    handle = head.register_forward_pre_hook(select)
    try:
        yield
    finally:
        handle.remove()
