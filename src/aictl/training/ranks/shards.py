"""Each process has a part of every parameter, its gradient and its moments, and the whole of one block at a time
(FSDP2, https://arxiv.org/abs/2304.11277)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from aictl.core.events import Events
from aictl.training import sharded
from aictl.training.checkpoints import Checkpoints
from aictl.training.ranks.group import GroupWorld, Membership
from aictl.training.ranks.replicas import first_finds
from aictl.training.state import State
from aictl.training.world import World


class Shards(GroupWorld):
    """Every process writes its own shards of a checkpoint."""

    about = "each with a part of every parameter"

    def __init__(self, member: Membership, device: torch.device) -> None:
        super().__init__(member)
        self._mesh: DeviceMesh = init_device_mesh(device.type, (member.ranks,))
        # Checkpoints are written beside training, and what they say to one another must not come between.
        self._saving = dist.new_group(backend="gloo")

    def prepare(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model itself, its parameters cut. Its blocks are those that transformers never parts between devices."""
        shard(model, self._mesh)
        return model

    def exchanging(self, model: torch.nn.Module, now: bool) -> AbstractContextManager[object]:
        assert isinstance(model, FSDPModule)
        model.set_requires_gradient_sync(now)
        return nullcontext()

    def settle(self, model: torch.nn.Module) -> None:
        # FSDP2 keeps what lies outside of blocks whole, for the backward pass.
        for module in model.modules():
            if isinstance(module, FSDPModule):
                module.reshard()

    def checkpoints(self, folder: Path, keep: int) -> Checkpoints:
        return ShardedCheckpoints(folder, keep, self, self._saving)

    def capture(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        *,
        facts: Mapping[str, float],
        rng: Mapping[str, torch.Tensor],
    ) -> State:
        own = f"{self.rank}." if self.rank else ""
        return sharded.capture(
            model, optimizer, scaler, facts=facts, rng={own + name: value for name, value in rng.items()}
        )

    def gather(self, model: torch.nn.Module) -> None:
        put_together(model, keep=self.is_first)


class ShardedCheckpoints(Checkpoints):
    """Checkpoints that all processes write together."""

    def __init__(self, folder: Path, keep: int, world: World, group: dist.ProcessGroup) -> None:
        super().__init__(folder, keep)
        self._world, self._group = world, group

    def _found(self, kind: str, events: Events) -> Path | None:
        self.finish()
        return first_finds(self._world, self._folder, super()._found(kind, events) if self._world.is_first else None)

    def save(self, state: State, *, best: bool = False) -> None:
        self.finish()
        target = self._target(state, best)
        writing = sharded.save(state, target, self._group)
        keep = 1 if best else self._keep
        self._writing = self._writer.submit(sharded.finish, writing, target, keep, self._group)


def shard(model: torch.nn.Module, mesh: DeviceMesh) -> None:
    """Cut a model's parameters over a mesh, each block's together, and those outside of blocks together."""
    blocks = getattr(model, "_no_split_modules", None) or ()
    for module in model.modules():
        if type(module).__name__ in blocks:
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)


def put_together(model: torch.nn.Module, *, keep: bool) -> None:
    """Replace every parameter in shards by the whole of it on the CPU, or by nothing in a process that does not
    ``keep`` it. The model is then to be saved, and trains no more."""
    whole: dict[DTensor, torch.nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if isinstance(parameter, DTensor):
                if parameter not in whole:  # tied parameters stay tied
                    full = parameter.full_tensor().detach()
                    full = full.cpu() if keep else torch.empty(0)
                    whole[parameter] = torch.nn.Parameter(full, requires_grad=parameter.requires_grad)
                module._parameters[name] = whole[parameter]
