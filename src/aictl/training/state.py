"""The state of a run that is under way: what has to be put back for it to go on as if nothing had happened.

That is the trained weights, what layers count as they go (the means of batch normalisation), the optimiser's moments,
the loss scaler and the random generators. The data's position and the learning rate follow from the step.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open

from aictl.core.errors import Damaged, MachineLacks


class State(NamedTuple):
    """Tensors by name, on the CPU and nobody else's, so that training can go on while they are written; and what
    describes them, as JSON texts by name."""

    tensors: dict[str, torch.Tensor]
    header: dict[str, str]


def capture(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    *,
    facts: Mapping[str, float],
    rng: Mapping[str, torch.Tensor],
) -> State:
    """A copy of the state. ``facts`` are the step and whatever numbers the loop counts."""
    tensors = {f"random.{name}": value for name, value in rng.items()}
    for name, parameter in _trained(model):
        tensors[f"model.{name}"] = _copied(parameter.data)
        for key, value in optimizer.state[parameter].items():
            tensors[f"optimizer.{name}.{key}"] = _copied(value)
    for name, value in _counted(model):
        tensors[f"buffer.{name}"] = _copied(value)
    return State(tensors, {"facts": json.dumps(facts), "scaler": json.dumps(scaler.state_dict())})


def _copied(value: torch.Tensor) -> torch.Tensor:
    return value.detach().to("cpu", copy=True).contiguous()


def facts_of(state: State) -> dict[str, float]:
    """The step and the loop's other numbers in a captured state."""
    return dict(json.loads(state.header["facts"]))


def restore(
    path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
) -> dict[str, float]:
    """Put a saved state back and return its facts. Raises :class:`Damaged` if it does not fit."""
    with _reading(path), safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        names = set(file.keys())
        for name, parameter in _trained(model):
            parameter.data.copy_(file.get_tensor(f"model.{name}"))
            prefix = f"optimizer.{name}."
            for key in (one.removeprefix(prefix) for one in names if one.startswith(prefix)):
                value = file.get_tensor(prefix + key)
                # AdamW's fused kernel wants its step counter beside the moments, and walks through these in the order
                # in which the weights lie in memory, which need not be the usual one.
                like = torch.empty_like(parameter, dtype=value.dtype) if value.shape == parameter.shape else value
                optimizer.state[parameter][key] = like.copy_(value).to(parameter.device)
        for name, buffer in _counted(model):
            buffer.copy_(file.get_tensor(f"buffer.{name}"))
        restore_random(
            {one.removeprefix("random."): file.get_tensor(one) for one in names if one.startswith("random.")}
        )
        if scaler.is_enabled():
            scaler.load_state_dict(json.loads(metadata["scaler"]))
        facts: dict[str, float] = json.loads(metadata["facts"])
        return facts


def restore_weights(path: Path, model: torch.nn.Module) -> int:
    """Put a saved state's weights back and nothing else, and return its step. Raises :class:`Damaged` if they do not
    fit."""
    with _reading(path), safe_open(path, framework="pt") as file:
        for name, parameter in _trained(model):
            parameter.data.copy_(file.get_tensor(f"model.{name}"))
        for name, buffer in _counted(model):
            buffer.copy_(file.get_tensor(f"buffer.{name}"))
        return int(json.loads(file.metadata()["facts"])["step"])


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise Damaged(
            f"{path}: the state of the interrupted run cannot be read: {error}", cure=f"rm -r {path.parent}"
        ) from error


def random_state() -> dict[str, torch.Tensor]:
    """What torch's generators are at now."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random(state: Mapping[str, torch.Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def _trained(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Parameter]]:
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)


def _counted(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """The buffers that belong to a model's state: those that it is saved with."""
    saved = model.state_dict().keys()
    return ((name, buffer) for name, buffer in model.named_buffers() if name in saved)


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turn a failure to write into what it means. Raises :class:`MachineLacks`."""
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise MachineLacks(
            f"{path} cannot be written: {error}", cure="free some space, then run the same command again"
        ) from error
