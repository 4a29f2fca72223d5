"""Model FLOPs utilisation: the share of what the hardware can multiply that a run's own products come to.

As in https://arxiv.org/abs/2204.02311 (appendix B), but with the products counted as they are run, attention and all,
and with the hardware's peak measured as a large matrix product in the run's own number format.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from aictl.training.objective import Objective
from aictl.training.precision import Compute
from aictl.training.state import random_state, restore_random

_LARGEST = {"cpu": 1024, "cuda": 8192}
# Of so many products others on the machine slow some down, and in a format that is emulated each takes long.
_AT_MOST, _AT_MOST_S = 20, 0.3


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
    size, took_s = 128, 0.0
    while size < _LARGEST[compute.device.type] and took_s < _AT_MOST_S / 8:  # twice as wide takes eight times as long
        size *= 2
        took_s = min(_products_s(compute, size, 2))
    return 2 * size**3 / min(took_s, *_products_s(compute, size, _AT_MOST))


def _products_s(compute: Compute, size: int, count: int) -> list[float]:
    """Seconds of each of some square products; fewer than ``count`` where they take long."""
    multiply = _product(compute, size)
    found: list[float] = []
    while len(found) < count and sum(found) < _AT_MOST_S:
        _wait(compute)
        began = time.perf_counter()
        multiply()
        _wait(compute)
        found.append(time.perf_counter() - began)
    return found


def _product(compute: Compute, size: int) -> Callable[[], object]:
    """A square product in the run's own format."""
    one = torch.full((size, size), 0.5, device=compute.device, dtype=compute.dtype)
    if compute.precision == "fp8":
        narrow, scale = one.to(torch.float8_e4m3fn), torch.ones((), device=compute.device)
        return lambda: torch._scaled_mm(
            narrow, narrow.t(), scale_a=scale, scale_b=scale, out_dtype=compute.dtype, use_fast_accum=True
        )
    product = torch.empty_like(one)
    return lambda: torch.mm(one, one, out=product)


def _wait(compute: Compute) -> None:
    if compute.device.type == "cuda":
        torch.cuda.synchronize(compute.device)
