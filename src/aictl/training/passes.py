"""Keeping processes in step: each goes through the model as often as the others, or those that are done would be waited
for by those that exchange something in every pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from aictl.training.world import World

T = TypeVar("T")


def in_step(parts: Sequence[T], spare: Callable[[], T], world: World) -> list[tuple[T, float]]:
    """This process's parts of a batch with weight 1, and with weight 0 as many more as another has. A process that got
    no part of its own goes through ``spare()``."""
    passes = [(part, 1.0) for part in parts]
    most = int(max(row[0] for row in world.gathered([len(parts)])))
    while len(passes) < most:
        passes.append((parts[0] if parts else spare(), 0.0))
    return passes
