"""Which weights are trained, and in which number format they are kept."""

from __future__ import annotations

import re

import torch
from transformers import PreTrainedModel

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadRequest
from aictl.finetune.spec import SaveDtype
from aictl.training import saving
from aictl.training.precision import DTYPES

_RANGE = re.compile(r"(.*\D|)(\d+)-(\d+)")


def kept_dtype(wanted: SaveDtype, checkpoint: Checkpoint) -> torch.dtype:
    return saving.dtype_of(checkpoint) if wanted == "base" else DTYPES[wanted]


def freeze(model: PreTrainedModel, patterns: list[str]) -> int:
    """Freeze the weights that ``patterns`` name, and return how many values those have.

    ``embeddings`` and ``head`` are the model's; any other is parts of a name one after the other, such as
    ``layers.3.mlp``, of which one may be a range: ``layers.0-3``. Raises :class:`BadRequest` for one that names
    nothing, and where nothing would be left to train.
    """
    special = {"embeddings": model.get_input_embeddings(), "head": model.get_output_embeddings()}
    named = dict(model.named_parameters())
    frozen: set[str] = set()
    for pattern in patterns:
        if pattern in special and special[pattern] is not None:
            chosen = {id(parameter) for parameter in special[pattern].parameters()}
            found = {name for name, parameter in named.items() if id(parameter) in chosen}
        else:
            found = {name for name in named for one in _spread(pattern) if f".{one}." in f".{name}."}
        if not found:
            parts = sorted({name.rpartition(".")[0].split(".")[-1] for name in named})
            raise BadRequest(
                f"--freeze {pattern}: no weight's name has such a part; there are {', '.join(parts[:20])}",
                cure="--freeze embeddings, or --freeze layers.0-3",
            )
        frozen |= found
    if len(frozen) == len(named):
        raise BadRequest(f"--freeze {' '.join(patterns)}: nothing is left to train", cure="freeze fewer")
    for name in frozen:
        named[name].requires_grad_(False)
    return sum(named[name].numel() for name in frozen)


def _spread(pattern: str) -> list[str]:
    match = _RANGE.fullmatch(pattern)
    if not match:
        return [pattern]
    before, first, last = match[1], int(match[2]), int(match[3])
    return [f"{before}{number}" for number in range(first, min(last, first + 10_000) + 1)]
