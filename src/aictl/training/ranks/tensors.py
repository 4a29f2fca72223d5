"""Several processes do each matrix product together (tensor parallel, https://arxiv.org/abs/1909.08053), and groups of
them take shares of the batch, with or without sharding what is left (FSDP2)."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from aictl.core.errors import BadRequest
from aictl.training.ranks.group import Membership
from aictl.training.ranks.shards import Shards, shard

_STYLES = {"colwise": ColwiseParallel, "rowwise": RowwiseParallel}
_SUMMED = "replicated_with_grad_allreduce"


class Tensors(Shards):
    """``size`` processes to each replica. Where there are several replicas, every parameter is sharded over them."""

    def __init__(self, member: Membership, device: torch.device, size: int) -> None:
        super().__init__(member, device)
        self.rank, self.ranks = member.rank // size, member.ranks // size
        self._mesh = init_device_mesh(device.type, (self.ranks, size), mesh_dim_names=("replicas", "tensors"))
        self.about = f"{size} to each matrix product" + (f" and shards over {self.ranks}" if self.ranks > 1 else "")

    def prepare(self, model: torch.nn.Module) -> torch.nn.Module:
        """The model itself, its matrices cut as transformers' plan for its kind says. Embeddings and the head stay
        whole. Raises :class:`BadRequest` for a model that has no such plan, or heads that cannot be divided so."""
        cut(model, self._mesh["tensors"], sharded=self.ranks > 1)
        if self.ranks > 1:
            shard(model, self._mesh["replicas"])
        return model

    def exchanging(self, model: torch.nn.Module, now: bool) -> Any:
        return super().exchanging(model, now) if self.ranks > 1 else super(Shards, self).exchanging(model, now)


def cut(model: torch.nn.Module, mesh: DeviceMesh, *, sharded: bool) -> None:
    """Cut a model's matrices over ``mesh``, by columns and then by rows, so that two of them need one sum."""
    plan = _plan(model, mesh.size())
    styles: dict[str, Any] = {name: _STYLES[style]() for name, style in plan.items() if style in _STYLES}
    summed = [name for name, style in plan.items() if style == _SUMMED]
    if sharded and summed:
        raise BadRequest(
            f"a {_kind(model)} has norms over the parts of heads, whose gradients cannot be summed over shards",
            cure="as many processes as --tensor-parallel says, or --shard full without it",
        )
    base = cast(torch.nn.Module, model.base_model)
    parallelize_module(base, mesh, styles)
    for name in summed:
        for module in (module for path, module in base.named_modules() if _fits(name, path)):
            for parameter in module.parameters():
                parameter.register_hook(lambda gradient: _sum(gradient, mesh))


def _sum(gradient: torch.Tensor, mesh: DeviceMesh) -> torch.Tensor:
    whole = gradient.clone()
    dist.all_reduce(whole, group=mesh.get_group())
    return whole


def _plan(model: torch.nn.Module, size: int) -> dict[str, str]:
    config: Any = getattr(model, "config", None)
    plan: dict[str, str] = getattr(config, "base_model_tp_plan", None) or {}
    base = getattr(model, "base_model", None)
    unknown = sorted(set(plan.values()) - {*_STYLES, _SUMMED})
    if not plan or unknown or base is None or type(base).__module__.startswith("peft"):
        why = f" ({', '.join(unknown)})" if unknown else ""
        raise BadRequest(
            f"--tensor-parallel {size}: there is no plan that cuts the matrices of a {_kind(model)}{why}",
            cure="--shard full divides any model",
        )
    for name in ("num_attention_heads", "num_key_value_heads"):
        heads = getattr(config, name, None) or size
        if heads % size:
            raise BadRequest(
                f"--tensor-parallel {size}: {name}={heads} of the model cannot be divided so",
                cure="--tensor-parallel 1 with --shard full divides any model",
            )
    return plan


def _fits(pattern: str, path: str) -> bool:
    """Whether ``layers.*.mlp`` is what ``layers.3.mlp`` is called."""
    wanted, parts = pattern.split("."), path.split(".")
    return len(wanted) == len(parts) and all(one in ("*", part) for one, part in zip(wanted, parts, strict=True))


def _kind(model: torch.nn.Module) -> str:
    return type(model).__name__
