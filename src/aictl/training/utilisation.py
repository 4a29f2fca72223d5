"""Model FLOPs utilisation: the share of what the hardware can multiply that a run's own products come to.

As in https://arxiv.org/abs/2204.02311 (appendix B), but with the products counted as they are run, attention and all,
and with the hardware's peak measured as a large matrix product in the run's own number format.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from aictl.training.objective import Objective
from aictl.training.precision import Compute
from aictl.training.state import random_state, restore_random

_SIZE = {"cpu": 1024, "cuda": 8192}
_AT_LEAST = 20  # products: others on the machine slow some of them down


def flops_per_position(model: torch.nn.Module, objective: Objective, batch: Any, compute: Compute) -> float:
    """Floating-point operations of a position's forward and backward pass, counted on one row of ``batch``. Leaves no
    gradients, draws no random numbers and changes no running statistics; what is worked out anew does not count."""
    row = batch.parts(1)[0].to(compute.device)
    random, training = random_state(), model.training
    model.eval()
    with torch.no_grad(), compute.autocast():
        objective(model, row)  # what it finds out once is not counted
    counter = FlopCounterMode(display=False)
    with counter:
        with compute.autocast():
            loss = objective(model, row)
        loss.backward()
    model.zero_grad(set_to_none=True)
    model.train(training)
    restore_random(random)
    return float(counter.get_total_flops()) / float(row.positions)


def peak_flops(compute: Compute) -> float:
    """Floating-point operations a second of the best of several large matrix products. Draws no random numbers."""
    size = _SIZE[compute.device.type]
    one = torch.full((size, size), 0.5, device=compute.device, dtype=compute.dtype)
    best = float("inf")
    product = torch.empty_like(one)
    torch.mm(one, one, out=product)
    for _ in range(_AT_LEAST):
        _wait(compute)
        began = time.perf_counter()
        torch.mm(one, one, out=product)
        _wait(compute)
        took = time.perf_counter() - began
        best = min(best, took)
    return 2 * size**3 / best


def _wait(compute: Compute) -> None:
    if compute.device.type == "cuda":
        torch.cuda.synchronize(compute.device)
