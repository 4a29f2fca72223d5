"""The processes that train one model together; here there is one, and others subclass it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch


class World:
    """``ranks`` processes, of which this is number ``rank``. The first one evaluates, writes and tells."""

    rank = 0
    ranks = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def prepare(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model as it is trained here: a replica, or a shard of it."""
        return model

    def exchanging(self, model: torch.nn.Module, now: bool) -> AbstractContextManager[object]:
        """Around a backward pass: whether its gradients are exchanged at its end, or are summed up here first."""
        return nullcontext()

    def sums(self, values: Sequence[float]) -> list[float]:
        """Each value summed over the processes."""
        return list(values)


ALONE = World()
