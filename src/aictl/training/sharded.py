"""A state whose tensors lie in several processes, by torch.distributed.checkpoint.

Each process writes its own shards as safetensors, whose headers say which part of which tensor they are; so nothing
here is a pickle, as the metadata of that library's other formats are. Any number of processes can read them back, also
one that has the whole model, and processes that have shards of it can read what one process wrote.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter

from aictl.core.errors import MachineLacks
from aictl.training.checkpoints import STATE_NAME, begin, complete, settled
from aictl.training.state import State, disk, facts_of, reading, restore_random, trained

HEADER_NAME = "header.json"


def is_sharded(path: Path, model: torch.nn.Module) -> bool:
    """Whether a state, or the model that it is read into, is in shards."""
    kind = torch.distributed.tensor.DTensor
    return path.is_dir() or any(isinstance(parameter, kind) for parameter in model.parameters())


def capture(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    *,
    facts: Mapping[str, float],
    rng: Mapping[str, torch.Tensor],
) -> State:
    """The state as it lies here: no copy, which :func:`save` makes of the part that this process writes."""
    tensors = {f"random.{name}": value for name, value in rng.items()}
    for name, parameter in trained(model):
        tensors[f"model.{name}"] = parameter.data
        tensors |= {f"optimizer.{name}.{key}": value for key, value in optimizer.state[parameter].items()}
    return State(tensors, {"facts": json.dumps(facts), "scaler": json.dumps(scaler.state_dict())})


def save(state: State, target: Path, group: dist.ProcessGroup) -> Future[Any]:
    """Begin to write a checkpoint: what this process writes is copied before it returns. All processes call it."""
    if dist.get_rank(group) == 0:
        with disk(target):
            partial = begin(target)
            (partial / HEADER_NAME).write_text(json.dumps(state.header) + "\n")
    writer = HuggingFaceStorageWriter(str(target.with_name("partial")), save_distributed=True)
    writing = dcp.async_save(state.tensors, storage_writer=writer, process_group=group)
    assert isinstance(writing, Future)
    return writing


def finish(writing: Future[Any], target: Path, keep: int, group: dist.ProcessGroup) -> None:
    """Wait for the writing of :func:`save`, and give the checkpoint its name. All processes call it. Raises
    :class:`MachineLacks` in all of them if one could not write."""
    rank, partial = dist.get_rank(group), target.with_name("partial")
    try:
        writing.result()
    except CheckpointException as error:
        first, (why, _) = min(error.failures.items())
        raise MachineLacks(
            f"{target} cannot be written by rank {first}: {why}",
            cure="free some space, then run the same command again",
        ) from error
    with disk(target):
        mine = {path.name: settled(path) for path in partial.glob(f"shard-{rank + 1:05d}-*")}
        if rank == 0:
            mine[HEADER_NAME] = settled(partial / HEADER_NAME)
        theirs: list[dict[str, Any]] = [{} for _ in range(dist.get_world_size(group))]
        dist.all_gather_object(theirs, mine, group=group)
        if rank == 0:
            complete(target, {name: facts for row in theirs for name, facts in row.items()}, keep)
        dist.barrier(group)  # whoever goes on may rely on it


def restore(
    path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler, rank: int
) -> dict[str, float]:
    """Put a saved state back, each process its own part, and return its facts. Raises :class:`Damaged` if it does not
    fit."""
    with reading(path):
        folder, header = _opened(path)
        reader = HuggingFaceStorageReader(str(folder))
        sizes = {name: entry.size for name, entry in reader.read_metadata().state_dict_metadata.items()}
        wanted: dict[str, torch.Tensor] = {}
        for name, parameter in trained(model):
            wanted[f"model.{name}"] = parameter.data
            prefix = f"optimizer.{name}."
            for full in (one for one in sizes if one.startswith(prefix)):
                value = torch.zeros_like(parameter.data)
                if sizes[full] != parameter.shape:  # the count of steps
                    value = torch.zeros(sizes[full], device=parameter.device)
                optimizer.state[parameter][full.removeprefix(prefix)] = wanted[full] = value
        random = {name: torch.zeros(sizes[name], dtype=torch.uint8) for name in sizes if name.startswith("random.")}
        _load(wanted | random, reader)
        restore_random({name.removeprefix("random."): value for name, value in random.items()}, rank)
        if scaler.is_enabled():
            scaler.load_state_dict(json.loads(header["scaler"]))
        return facts_of(State({}, header))


def restore_weights(path: Path, model: torch.nn.Module) -> int:
    """Put a saved state's weights back and nothing else, and return its step."""
    with reading(path):
        folder, header = _opened(path)
        wanted = {f"model.{name}": parameter.data for name, parameter in trained(model)}
        _load(wanted, HuggingFaceStorageReader(str(folder)))
        return int(facts_of(State({}, header))["step"])


def _opened(path: Path) -> tuple[Path, dict[str, str]]:
    if path.is_dir():
        return path, json.loads((path / HEADER_NAME).read_text())
    from safetensors import safe_open

    with safe_open(path.parent / STATE_NAME, framework="pt") as file:
        return path.parent, file.metadata()


def _load(wanted: dict[str, torch.Tensor], reader: HuggingFaceStorageReader) -> None:
    # Each process reads what it needs by itself: there is nothing to agree on.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        dcp.load(wanted, storage_reader=reader, no_dist=True)
