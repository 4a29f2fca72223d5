"""The state of a run that is under way, in one file that is replaced whole.

It holds the trained weights, AdamW's moments, the loss scaler and the random generators, as
safetensors with a JSON header. The data's position and the learning rate follow from the step.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from aictl.core.errors import Damaged, MachineLacks

STATE_NAME = "state.safetensors"


def save(
    path: Path,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    *,
    facts: dict[str, float],
    rng: dict[str, torch.Tensor],
) -> None:
    """Write the state so that a kill at any instant leaves the old file or the new one.

    ``facts`` are the step and whatever numbers the loop counts. Raises :class:`MachineLacks` when
    the disk is full.
    """
    tensors = {f"random.{name}": value for name, value in rng.items()}
    for name, parameter in _trained(model):
        tensors[f"model.{name}"] = parameter.data
        for key, value in optimizer.state[parameter].items():
            tensors[f"optimizer.{name}.{key}"] = value
    partial = path.with_suffix(".partial")
    with disk(path):
        tensors = {name: value.contiguous().cpu() for name, value in tensors.items()}
        save_file(tensors, partial, metadata={"facts": json.dumps(facts), "scaler": json.dumps(scaler.state_dict())})
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)


def restore(
    path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
) -> dict[str, float]:
    """Put a saved state back and return its facts. Raises :class:`Damaged` if it does not fit."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            names = set(file.keys())
            for name, parameter in _trained(model):
                parameter.data.copy_(file.get_tensor(f"model.{name}"))
                prefix = f"optimizer.{name}."
                for key in (one.removeprefix(prefix) for one in names if one.startswith(prefix)):
                    value = file.get_tensor(prefix + key)
                    # AdamW's fused kernel wants its step counter beside the moments.
                    optimizer.state[parameter][key] = value.to(parameter.device)
            restore_random(
                {one.removeprefix("random."): file.get_tensor(one) for one in names if one.startswith("random.")}
            )
        if scaler.is_enabled():
            scaler.load_state_dict(json.loads(metadata["scaler"]))
        return json.loads(metadata["facts"])
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise Damaged(f"{path}: the state of the interrupted run cannot be read: {error}", cure=f"rm {path}") from error


def random_state() -> dict[str, torch.Tensor]:
    """What torch's generators are at now."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random(state: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def _trained(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Parameter]]:
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turn safetensors' failure to write into what it means. Raises :class:`MachineLacks`."""
    try:
        yield
    except SafetensorError as error:
        raise MachineLacks(
            f"{path} cannot be written: {error}", cure="free some space, then run the same command again"
        ) from error
