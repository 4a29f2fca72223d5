"""Becoming one of the processes that train together: who is there, who is missing, and the world they make."""

from __future__ import annotations

import os
import platform
from datetime import timedelta

import torch
import torch.distributed as dist

from aictl.core.errors import BadRequest, MachineLacks, TryLater
from aictl.core.events import Events
from aictl.core.place import Place, place
from aictl.training.precision import Compute
from aictl.training.ranks import roll
from aictl.training.ranks.group import GroupWorld, Membership
from aictl.training.spec import ParallelSpec
from aictl.training.world import ALONE, World

_CURE = "see why they did not start; --process-timeout-s waits longer"


def join(spec: ParallelSpec, compute: Compute, events: Events) -> World:
    """The world that this process is of: alone, or with all those that run the same command line.

    Raises :class:`TryLater` naming the processes that do not come within ``process_timeout_s``, :class:`MachineLacks`
    where there are more processes than GPUs, :class:`BadRequest` for what they cannot be divided into.
    """
    here = place()
    here = here if here and here.ranks > 1 else None
    ranks = here.ranks if here else 1
    if ranks % spec.tensor_parallel:
        raise BadRequest(
            f"--tensor-parallel {spec.tensor_parallel}: {ranks} process{'es' * (ranks > 1)} cannot be divided so",
            cure=f"--nproc {spec.tensor_parallel}, or a multiple of it",
        )
    if here is None:
        return ALONE
    if spec.tensor_parallel > 1 and compute.precision == "fp16":
        raise BadRequest(
            "--tensor-parallel with fp16: torch scales no loss whose gradients lie here in parts and there as a whole",
            cure="--precision bf16, or --shard full",
        )
    if spec.tensor_parallel > 1 and compute.precision == "fp8":
        raise BadRequest(
            "--tensor-parallel with fp8: torchao's layers have no plan for being divided",
            cure="--precision bf16, or --shard full",
        )
    if compute.device.type == "cuda":
        _take_gpu()
    world = _world(_meet(here, spec.process_timeout_s, compute.device), spec, compute.device)
    events.noted(f"training with {ranks} processes, {world.about}")
    return world


def _world(member: Membership, spec: ParallelSpec, device: torch.device) -> GroupWorld:
    if spec.tensor_parallel > 1:
        from aictl.training.ranks.tensors import Tensors

        return Tensors(member, device, spec.tensor_parallel)
    if spec.shard == "full":
        from aictl.training.ranks.shards import Shards

        return Shards(member, device)
    from aictl.training.ranks.replicas import Replicas

    return Replicas(member)


def _take_gpu() -> None:
    number = int(os.environ.get("LOCAL_RANK", "0"))
    if number >= torch.cuda.device_count():
        raise MachineLacks(
            f"process {number} of this machine finds {torch.cuda.device_count()} GPUs, and each takes one of its own",
            cure="--nproc auto starts as many processes as there are GPUs; or --device cpu",
        )
    torch.cuda.set_device(number)


def _meet(here: Place, timeout_s: float, device: torch.device) -> Membership:
    store = _store(here, timeout_s)
    store.set(f"name/{here.rank}", f"{platform.node()} (process {os.getpid()})")
    try:
        absent = roll.missing(store, "joined", here.rank, here.ranks, within_s=timeout_s)
    except dist.DistError as error:
        raise TryLater(f"the store that the processes meet through is gone: {error}", cure=_CURE) from error
    if absent:
        raise TryLater(f"{roll.named(absent, here.ranks)} did not come within {timeout_s:g} s", cure=_CURE)
    # Numbers and checkpoints go over gloo, tensors on a GPU over NCCL.
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    try:
        dist.init_process_group(
            backend,
            store=dist.PrefixStore("group", store),
            rank=here.rank,
            world_size=here.ranks,
            timeout=timedelta(seconds=timeout_s),
        )
    except RuntimeError as error:
        raise TryLater(f"{here.ranks} processes found one another and cannot connect: {error}", cure=_CURE) from error
    return Membership(here.rank, here.ranks, store, timeout_s)


def _store(here: Place, timeout_s: float) -> dist.Store:
    """The store at ``MASTER_ADDR:MASTER_PORT``, which an agent keeps, or else rank 0."""
    host, port = os.environ["MASTER_ADDR"], os.environ.get("MASTER_PORT", "")
    if not port.isdecimal():
        raise BadRequest(f"MASTER_PORT={port} in the environment is no port", cure="start the processes with torchrun")
    kept_by_agent = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    try:
        store = dist.TCPStore(
            host,
            int(port),
            here.ranks,
            is_master=here.rank == 0 and not kept_by_agent,
            timeout=timedelta(seconds=timeout_s),
            wait_for_workers=False,
        )
    except dist.DistError as error:
        who = "the process that started rank 0" if kept_by_agent else "rank 0"
        raise TryLater(f"{who} was not found at {host}:{port} within {timeout_s:g} s", cure=_CURE) from error
    # After a restart an agent's store is the same one.
    return dist.PrefixStore(f"aictl/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
