"""Lesson: what a task gives the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from aictl.core.events import Events
from aictl.training.batches import Batch, Batches
from aictl.training.loop import Job, Outcome, fit
from aictl.training.objective import Constrain, Judge, Objective
from aictl.training.precision import Compute
from aictl.training.spec import LoopSpec, OptimizerSpec
from aictl.training.world import World

Examine = Callable[[torch.nn.Module, Compute], Mapping[str, Any]]


@dataclass(frozen=True)
class Lesson:
    """What to learn from and how it is judged.

    ``held_out`` is what is judged now and then while it trains. ``examine`` takes all measures on all that is held
    out, also those that are no means over documents, such as macro F1 or recall; it runs once, on the weights that
    were kept. ``examples`` is how many documents there are to train on. ``primary`` names the measure that says most.
    ``facts`` go into the record beside the measures.
    """

    batches: Batches
    held_out: Sequence[Batch]
    examples: int
    objective: Objective
    judge: Judge
    examine: Examine
    primary: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Run(NamedTuple):
    """Where and how a lesson is given; ``peak_rate`` is the highest learning rate, ``constrain`` what stays true of the
    weights."""

    max_steps: int
    peak_rate: float
    optimizer: OptimizerSpec
    loop: LoopSpec
    compute: Compute
    world: World
    scratch: Path
    constrain: Constrain | None = None


def teach(model: torch.nn.Module, lesson: Lesson, run: Run, events: Events) -> Outcome:
    """Train ``model`` on a lesson. Raises :class:`WorkFailed` when training diverges."""
    job = Job(
        model=model,
        batches=lesson.batches,
        held_out=lesson.held_out,
        objective=lesson.objective,
        judge=lesson.judge,
        **run._asdict(),
    )
    return fit(job, events)


def spread(count: int, most: int) -> np.ndarray:
    """``most`` of ``count`` rows, or all, evenly spread: documents often stand in the order of their classes."""
    kept = min(count, most)
    return np.arange(kept, dtype=np.int64) * count // max(1, kept)
