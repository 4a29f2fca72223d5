"""What any other training than a language model's will take: found by trying a part of its first batch, since no
formula knows all the networks there are."""

from __future__ import annotations

from typing import Any

import torch

from aictl.training.forecast import Forecast, assumed, beside, expected_flops, usable
from aictl.training.memory import shortage
from aictl.training.objective import Objective
from aictl.training.precision import Compute
from aictl.training.ranks.team import processes_of
from aictl.training.spec import ParallelSpec
from aictl.training.state import random_state, restore_random
from aictl.training.utilisation import flops_per_position

_BYTES = 4  # of a float32 weight, its gradient, and each of AdamW's two moments


def forecast(
    model: torch.nn.Module,
    batch: Any,
    objective: Objective,
    compute: Compute,
    *,
    rows: int,
    max_steps: int,
    parallel: ParallelSpec,
    usable_bytes: float | None,
    timed: bool,
) -> Forecast:
    """The forecast of ``max_steps`` steps of ``rows`` documents each, of which ``batch`` has some. The model is as
    before in the end. Raises :class:`MachineLacks` where memory does not suffice for the trial itself."""
    weights = float(sum(one.nbytes for one in model.parameters()))
    trained = sum(one.numel() for one in model.parameters() if one.requires_grad)
    around = beside(trained, compute)
    if "process" in around:  # what it takes now has the weights in it
        around["process"] -= weights
    with shortage(compute):
        model.to(compute.device)
        part = batch.parts(compute.tokens_at_once)[0]
        activations = _kept_bytes(model, part, objective, compute)
        rate = None
        if timed:
            each = flops_per_position(model, objective, batch, compute) * batch.positions / batch.rows
            rate = expected_flops(compute, parallel) / each
    memory = {
        "weights": weights,
        "gradients": float(_BYTES * trained),
        "optimizer": 2.0 * _BYTES * trained,
        "activations": activations,
        **around,
    }
    documents = rows * max_steps
    return Forecast(
        parameters=sum(one.numel() for one in model.parameters()),
        trained=trained,
        processes=processes_of(parallel),
        memory_bytes={**memory, "total": sum(memory.values())},
        usable_bytes=usable(usable_bytes, compute, parallel),
        documents=documents,
        documents_per_s=rate,
        seconds=documents / rate if rate else None,
        assumed=assumed(compute, parallel) if timed else (),
    )


def _kept_bytes(model: torch.nn.Module, part: Any, objective: Objective, compute: Compute) -> float:
    """Bytes that a forward pass keeps for the backward pass beside the weights."""
    weights = {one.untyped_storage().data_ptr() for one in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in weights:
            kept[place] = max(kept.get(place, 0), tensor.nbytes)
        return tensor

    random = random_state()
    running = {name: one.clone() for name, one in model.named_buffers()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), compute.autocast():
        objective(model.train(), part.to(compute.device))
    for name, one in model.named_buffers():
        one.copy_(running[name])
    restore_random(random)
    return float(sum(kept.values()))
