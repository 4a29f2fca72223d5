"""From the time of a step to that of a whole run: days, accelerator-hours, energy and money."""

from __future__ import annotations

from typing import NamedTuple

from aictl.planning.catalogue import Accelerator
from aictl.planning.constants import SHIPPED, Constants
from aictl.planning.layout import Recipe
from aictl.planning.search import Candidate
from aictl.planning.shape import Shape


class Run(NamedTuple):
    """A training run. Rates are those of steps; ``days`` and what follows from it are divided by the
    goodput, for restarts, checkpoints and evaluation. ``mfu`` and ``tflops_per_accelerator`` count the
    model's FLOPs, ``hardware_tflops_per_accelerator`` what is recomputed too. ``energy_kwh`` is that of
    the accelerators alone, at their rated power."""

    step_s: float
    tokens_per_s: float
    mfu: float
    tflops_per_accelerator: float
    hardware_tflops_per_accelerator: float
    days: float
    accelerator_hours: float
    energy_kwh: float | None
    cost: float | None


def whole_run(
    shape: Shape,
    recipe: Recipe,
    candidate: Candidate,
    accelerator: Accelerator,
    *,
    tokens: float,
    goodput: float,
    searched: bool,
    price_per_hour: float | None = None,
    constants: Constants = SHIPPED,
) -> Run:
    """A run over ``tokens``. ``searched`` says that the layout was picked as the best of many, whose
    promised speed is then taken down by what such promises kept."""
    layout = candidate.layout
    step_s = candidate.step.total / (constants.searched if searched else 1)
    tokens_per_s = recipe.batch * recipe.sequence_length / step_s
    each = tokens_per_s / layout.ranks
    flops = shape.flops_per_token(recipe.sequence_length)
    if recipe.frozen:  # no gradients of the weights: two passes of products for three
        flops -= 2 * (shape.layers * shape.active_layer + shape.vocabulary * shape.hidden)
    again = 0.0
    if layout.recompute == "full":
        again = shape.flops_per_token(recipe.sequence_length) / 3 - 2 * shape.vocabulary * shape.hidden
    days = tokens / tokens_per_s / 86_400 / goodput
    hours = days * 24 * layout.ranks
    return Run(
        step_s=step_s,
        tokens_per_s=tokens_per_s,
        mfu=flops * each / accelerator.formats[recipe.precision],
        tflops_per_accelerator=flops * each / 1e12,
        hardware_tflops_per_accelerator=(flops + again) * each / 1e12,
        days=days,
        accelerator_hours=hours,
        energy_kwh=hours * accelerator.power_w / 1000 if accelerator.power_w else None,
        cost=hours * price_per_hour if price_per_hour is not None else None,
    )
