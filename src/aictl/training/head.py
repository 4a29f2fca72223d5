"""The output head and its cross-entropy in one: the logits are turned into their own gradient where they lie.

With a large vocabulary most of what a plain loss costs on a CPU is not the head's matrix products but the passes over
its logits: to float32, their logarithms, back, and zeros for the gradient. Here they are read a few rows at a time,
while they are in the cache, and overwritten with the gradient; nothing else of their size is kept. It is the idea of
https://arxiv.org/abs/2410.10989 (section 3.2) without the recomputation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

# Probabilities that are held at once in float32: 1 MB, which stays in the cache.
_VALUES = 2**18
_SMALLEST = 1e-30  # a probability below it may be 0, and its logarithm is worked out from the logits
_PROBE_TOKENS = 8


def cross_entropy(hidden: torch.Tensor, head: torch.nn.Linear, targets: torch.Tensor) -> torch.Tensor:
    """Sum of -log p(target) over rows, in nats, as a float32 scalar. ``hidden`` has shape (rows, width), ``targets``
    int64 of shape (rows,). Products are in autocast's format where it is on."""
    device = hidden.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else head.weight.dtype
    return _HeadLoss.apply(hidden.to(dtype), head.weight.to(dtype), targets)


class _HeadLoss(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        learns = any(ctx.needs_input_grad)
        with torch.autocast(hidden.device.type, enabled=False):
            logits = hidden @ weight.t()
            loss = loss_in_place(logits, targets, learns=learns)
        if learns:
            ctx.save_for_backward(hidden, weight, logits)
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden, weight, by_logits = ctx.saved_tensors
        scale = gradients[0].to(hidden.dtype)
        of_hidden, of_weight, _ = ctx.needs_input_grad
        with torch.autocast(hidden.device.type, enabled=False):
            return (
                (by_logits @ weight).mul_(scale) if of_hidden else None,
                by_logits.t() @ (hidden * scale) if of_weight else None,
                None,
            )


def loss_in_place(logits: torch.Tensor, targets: torch.Tensor, *, learns: bool = True) -> torch.Tensor:
    """The sum of -log p(target) over rows of ``logits``, of shape (rows, vocabulary), which become its gradient by
    them where it ``learns``."""
    loss = torch.zeros((), dtype=torch.float32, device=logits.device)
    rows = max(1, _VALUES // logits.shape[1])
    for some, wanted in zip(logits.split(rows), targets[:, None].split(rows), strict=True):
        loss += _loss_of(some, wanted, learns)
    return loss


def _loss_of(logits: torch.Tensor, targets: torch.Tensor, learns: bool) -> torch.Tensor:
    """The summed loss of a few rows; ``logits`` become the gradient of it by them."""
    odds = torch.softmax(logits, dim=1, dtype=torch.float32)
    right = odds.gather(1, targets)
    if right.min() < _SMALLEST:
        loss = F.cross_entropy(logits.float(), targets[:, 0], reduction="sum")
    else:
        loss = -right.log().sum()
    if learns:
        logits.copy_(odds.scatter_add_(1, targets, torch.full_like(right, -1)))
    return loss


def bare(model: torch.nn.Module) -> Any:
    """The model itself, out of what compiles it or replicates it over processes."""
    while inner := model._modules.get("_orig_mod") or (
        model.module if isinstance(model, DistributedDataParallel) else None
    ):
        model = inner
    return model


_plain: WeakKeyDictionary[torch.nn.Module, bool] = WeakKeyDictionary()


def plain_head(model: Any) -> torch.nn.Linear | None:
    """The head of a language model if its logits are the product of the last hidden states with it and nothing else,
    which is found out by trying: some models cap or scale them."""
    head = model.get_output_embeddings()
    if type(head) is not torch.nn.Linear or head.bias is not None:
        return None
    if isinstance(model, FSDPModule) or isinstance(head.weight, DTensor):  # its weights are whole only inside of it
        return None
    if model not in _plain:
        _plain[model] = _is_plain(model, head)
    return head if _plain[model] else None


def _is_plain(model: torch.nn.Module, head: torch.nn.Linear) -> bool:
    ids = torch.arange(_PROBE_TOKENS, device=head.weight.device)[None] % head.weight.shape[0]
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), torch.autocast(head.weight.device.type, enabled=False):
            logits = model(input_ids=ids, use_cache=False).logits
            with hidden_states(head):
                hidden = model(input_ids=ids, use_cache=False).logits
            return hidden.shape[-1] == head.weight.shape[1] and torch.allclose(
                head(hidden).float(), logits.float(), rtol=1e-3, atol=1e-4
            )
    except RuntimeError:  # such as frozen matrices of another format, which only autocast puts together
        return False
    finally:
        model.train(training)


@contextmanager
def hidden_states(head: torch.nn.Module) -> Iterator[None]:
    """While it lasts, the model gives the hidden states before its head in place of logits."""
    head.forward = _same
    try:
        yield
    finally:
        del head.forward


def _same(hidden: torch.Tensor) -> torch.Tensor:
    return hidden
