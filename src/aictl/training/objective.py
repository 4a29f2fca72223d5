"""What is minimised: the cross-entropy of the next token, where a position has a target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F

from aictl.training.batches import IGNORED, Batch
from aictl.training.precision import Compute

Objective = Callable[[torch.nn.Module, Batch], torch.Tensor]


def next_token_loss(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """Sum over the batch's targets of -log p(target), in nats, as a float32 scalar.

    Sequences are padded on the right, so that causal attention keeps padding out without a mask.
    """
    with _head_sees_only(model, batch):
        logits = model(input_ids=batch.inputs, use_cache=False).logits
    targets = batch.targets
    if logits.shape[:2] != targets.shape:  # the head saw the positions with a target alone
        targets = targets[targets != IGNORED]
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum")


def mean_loss(model: torch.nn.Module, batches: Sequence[Batch], compute: Compute, objective: Objective) -> float:
    """Mean loss per target over held-out batches, in nats; its exponential is the perplexity."""
    training = model.training
    model.eval()
    total, counted = 0.0, 0
    for part in (part for batch in batches for part in batch.parts(compute.tokens_at_once)):
        with torch.no_grad(), compute.autocast():
            total += objective(model, part.to(compute.device)).item()
        counted += part.counted
    model.train(training)
    return total / counted


@contextmanager
def _head_sees_only(model: torch.nn.Module, batch: Batch) -> Iterator[None]:
    """Let only positions with a target reach the output head.

    With a vocabulary of 50,000 the head costs as much as a small model's layers, and in chat
    data most positions are not the assistant's. Hooking the head keeps whatever the model does to
    its logits afterwards (scaling, capping). A compiled model computes all of them.
    """
    compiled = hasattr(model, "_orig_mod")
    head = None if batch.dense or compiled else model.get_output_embeddings()
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
