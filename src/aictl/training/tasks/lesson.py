"""Lesson: what a task gives the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from aictl.training.batches import Batch, Batches
from aictl.training.objective import Judge, Objective
from aictl.training.precision import Compute

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


def spread(count: int, most: int) -> np.ndarray:
    """``most`` of ``count`` rows, or all, evenly spread: documents often stand in the order of their classes."""
    kept = min(count, most)
    return np.arange(kept, dtype=np.int64) * count // max(1, kept)
