"""Using less memory, and running out of it, as an error that says what to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from aictl.core.errors import BadRequest, MachineLacks
from aictl.measure import process_memory
from aictl.training.precision import Compute

FEWEST_AT_ONCE = 64  # tokens; below it the activations are little beside the weights


def recompute(model: Any) -> None:
    """Keep no activations of a model's blocks: the backward pass works them out anew, at the cost of a forward pass
    (https://arxiv.org/abs/1604.06174). Raises :class:`BadRequest` for a model that is not in blocks."""
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise BadRequest(f"--recompute: {type(model).__name__} cannot work out activations anew", cure="leave it out")
    model.activation_checkpointing_enable({"use_reentrant": False})


def peak_bytes(compute: Compute) -> int | None:
    """The most memory that this process has had: on a GPU in tensors, else in RAM; None where nobody says."""
    if compute.device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(compute.device))
    return process_memory.peak_bytes()


@contextmanager
def shortage(compute: Compute) -> Iterator[None]:
    """Turn a failed allocation into :class:`MachineLacks`."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        # On a CPU torch raises a plain RuntimeError.
        plain = isinstance(error, RuntimeError) and not isinstance(error, torch.OutOfMemoryError)
        if plain and "CPUAllocator: can't allocate" not in str(error):
            raise
        raise MachineLacks(
            f"out of memory on the {compute.device.type}: {str(error).splitlines()[0] if str(error) else 'no room'}",
            cure=_cure(compute),
        ) from error


def _cure(compute: Compute) -> str:
    fewer = compute.tokens_at_once // 2
    if fewer >= FEWEST_AT_ONCE:
        return f"--tokens-at-once {fewer}, which halves the memory of activations and changes no result"
    if not compute.recompute:
        return "--recompute, which keeps no activations"
    return "a smaller model, a shorter --sequence-length, or more memory"
