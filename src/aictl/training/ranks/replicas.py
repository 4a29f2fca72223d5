"""Each process has the whole model and takes its share of every batch; the gradients are averaged (DDP)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from aictl.core.events import Events
from aictl.training import state
from aictl.training.checkpoints import Checkpoints
from aictl.training.ranks.group import GroupWorld
from aictl.training.state import State
from aictl.training.world import World


class Replicas(GroupWorld):
    """The first process writes the checkpoints, as one that trains alone does."""

    about = "each with the whole model"

    def prepare(self, model: torch.nn.Module) -> torch.nn.Module:
        # Only running statistics change from batch to batch; other buffers are the same everywhere.
        statistics = any(isinstance(module, _BatchNorm) for module in model.modules())
        with warnings.catch_warnings():
            # torch 2.13 has another name for it, which 2.9 does not know.
            warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated", category=FutureWarning)
            return DistributedDataParallel(model, broadcast_buffers=statistics, gradient_as_bucket_view=True)

    def exchanging(self, model: torch.nn.Module, now: bool) -> AbstractContextManager[object]:
        assert isinstance(model, DistributedDataParallel)
        return nullcontext() if now else model.no_sync()

    def checkpoints(self, folder: Path, keep: int) -> Checkpoints:
        return _FirstWrites(folder, keep, self)

    def capture(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        *,
        facts: Mapping[str, float],
        rng: Mapping[str, torch.Tensor],
    ) -> State | None:
        """The first process's state with every process's random generators; None in the others."""
        generators: dict[str, torch.Tensor] = {}
        for name, value in rng.items():
            row = [torch.empty_like(value) for _ in range(self.ranks)]
            dist.all_gather(row, value)
            generators |= {(f"{rank}.{name}" if rank else name): one for rank, one in enumerate(row)}
        if not self.is_first:
            return None
        return state.capture(model, optimizer, scaler, facts=facts, rng=generators)


class _FirstWrites(Checkpoints):
    def __init__(self, folder: Path, keep: int, world: World) -> None:
        super().__init__(folder, keep)
        self._world = world

    def _found(self, kind: str, events: Events) -> Path | None:
        self.finish()
        return first_finds(self._world, self._folder, super()._found(kind, events) if self._world.is_first else None)

    def save(self, state: State | None, *, best: bool = False) -> None:
        if state is not None:
            super().save(state, best=best)


def first_finds(world: World, folder: Path, found: Path | None) -> Path | None:
    """What the first process has found in a folder that all of them see, for all."""
    told = world.told(str(found.relative_to(folder)) if found else "")
    return folder / told if told else None
