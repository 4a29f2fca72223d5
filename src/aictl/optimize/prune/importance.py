"""How much each layer, head and neuron does, measured on examples."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from aictl.core.events import Events
from aictl.optimize.prune.anatomy import Body
from aictl.optimize.prune.calibration import Calibration, InputNorms, chosen, positions
from aictl.optimize.prune.sparse import rows_first


class Importance(NamedTuple):
    """Of each layer, float64 of shape (layers,); of each group of heads and each neuron, of shape (layers, groups) and
    (layers, neurons). More is more; numbers of different kinds say nothing of one another."""

    layers: torch.Tensor
    groups: torch.Tensor | None
    neurons: torch.Tensor


def measure(body: Body, calibration: Calibration, events: Events) -> Importance:
    """What every part does on the calibration's examples."""
    groups = group_importance(body, calibration, events) if body.anatomy.output else None
    return Importance(layer_importance(body, calibration, events), groups, neuron_importance(body, calibration, events))


def layer_importance(body: Body, calibration: Calibration, events: Events) -> torch.Tensor:
    """One less the cosine of what goes into a layer and what comes out, the mean over positions: the block influence of
    https://arxiv.org/abs/2403.03853 (ShortGPT), equation 1."""
    totals = torch.zeros(len(body.layers), dtype=torch.float64)
    counts = torch.zeros(len(body.layers), dtype=torch.float64)
    real: torch.Tensor | None = None

    def look(number: int) -> Any:
        def hook(module: torch.nn.Module, arguments: tuple[Any, ...], given: Mapping[str, Any], found: Any) -> None:
            before = arguments[0] if arguments else given["hidden_states"]
            after = found[0] if isinstance(found, tuple) else found
            cosine = F.cosine_similarity(chosen(before, real).float(), chosen(after, real).float(), dim=-1)
            totals[number] += float((1 - cosine).double().sum())
            counts[number] += cosine.numel()

        return hook

    body.model.eval()
    with ExitStack() as stack, torch.no_grad():
        for number, layer in enumerate(body.layers):
            stack.callback(layer.register_forward_hook(look(number), with_kwargs=True).remove)
        for part in calibration.parts(events):
            real = positions(part)
            calibration.objective(body.model, part)
    return totals / counts.clamp(min=1)


def neuron_importance(body: Body, calibration: Calibration, events: Events) -> torch.Tensor:
    """The norm of a neuron's activations times that of the weights that read it: what Wanda says of those weights
    together (https://arxiv.org/abs/2306.11695)."""
    leaves = {str(number): body.part(number, body.anatomy.leaves) for number in range(len(body.layers))}
    norms = InputNorms(leaves).measure(body.model, calibration, events)
    found = [norms[name] * rows_first(module).float().norm(dim=0) for name, module in leaves.items()]
    return torch.stack(found).double().cpu()


def group_importance(body: Body, calibration: Calibration, events: Events) -> torch.Tensor:
    """By how much the loss would change to the first order if a group of heads gave nothing: the absolute value of its
    output times the loss's gradient by it, summed up over each row, as in https://arxiv.org/abs/1905.10650, equation
    2."""
    assert body.anatomy.output
    outputs = [body.part(number, body.anatomy.output) for number in range(len(body.layers))]
    found = torch.zeros(len(outputs), body.groups, dtype=torch.float64)
    given: dict[int, torch.Tensor] = {}

    def keep(number: int) -> Any:
        def hook(module: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
            arguments[0].retain_grad()
            given[number] = arguments[0]

        return hook

    body.model.eval()
    with ExitStack() as stack:
        for number, module in enumerate(outputs):
            stack.callback(module.register_forward_pre_hook(keep(number)).remove)
        for part in calibration.parts(events):
            calibration.objective(body.model, part).backward()
            for number, one in given.items():
                assert one.grad is not None
                change = (one * one.grad).detach().double().unflatten(-1, (body.groups, -1))
                # Of shape (rows, positions, groups, width of a group).
                found[number] += change.sum(dim=(1, 3)).abs().sum(dim=0).cpu()
            body.model.zero_grad(set_to_none=True)
    return found
