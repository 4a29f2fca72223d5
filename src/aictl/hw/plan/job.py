"""A job: everything that a plan for training is worked out from."""

from __future__ import annotations

from typing import Any, NamedTuple

from aictl.hw.plan.hardware import Hardware
from aictl.hw.plan.model import Model
from aictl.hw.plan.spec import FinetuneSpec, TrainSpec
from aictl.planning.layout import Recipe


class Job(NamedTuple):
    """``fixed`` holds the fields of the layout that are not searched, ``assumed`` a phrase for every guess,
    and ``draws`` says whether the plan gets a plot."""

    model: Model
    hardware: Hardware
    recipe: Recipe
    tokens: float
    fixed: dict[str, Any]
    spec: TrainSpec | FinetuneSpec
    assumed: list[str]
    draws: bool
