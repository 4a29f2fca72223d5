"""A student that has learnt nothing yet: a narrower network of the teacher's kind, or one of a preset's shape."""

from __future__ import annotations

import copy
from typing import Any

import torch
from transformers import PreTrainedModel

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadRequest
from aictl.optimize.distill.layers import HALVES, spread
from aictl.optimize.prune.anatomy import ANATOMIES
from aictl.tokenizing.folder import TokenizerFolder
from aictl.training import architectures
from aictl.training.presets import Preset

_FEWEST = 8  # of whatever is made narrower, and what it is a multiple of
# Widths that go down with the width of the network, by their names in configurations.
_WIDTHS = ("hidden_size", "intermediate_size", "n_embd", "n_inner", "dim", "hidden_dim", "embedding_size")
_HEADS = ("num_attention_heads", "num_key_value_heads", "n_head", "n_heads")
_STAGES = ("hidden_sizes",)  # a width for each stage of convolutions


def of_preset(teacher: PreTrainedModel, checkpoint: Checkpoint, preset: Preset, seed: int) -> PreTrainedModel:
    """A fresh language model of a preset's shape, in the teacher's architecture or, where no preset has one, a Llama.
    It has a logit for each of the teacher's."""
    kind = teacher.config.model_type.replace("_", "-")
    context = min(preset.context, checkpoint.context_length)
    config = architectures.config_of(
        kind if kind in architectures.CONFIGS else "llama", preset, TokenizerFolder(checkpoint.folder), context
    )
    config.vocab_size = teacher.config.vocab_size
    made = architectures.build(config, seed)
    if hasattr(teacher, "generation_config"):  # by which it ends where the teacher does
        made.generation_config = copy.deepcopy(teacher.generation_config)
    return made


def narrower(teacher: PreTrainedModel, fraction: float, layers: int | None, seed: int) -> PreTrainedModel:
    """A network of the teacher's kind, a ``fraction`` as wide, and with so many ``layers`` if that is said; the vectors
    of a dual encoder stay as wide as they are. Raises :class:`BadRequest` where a kind's layers are not known here."""
    values = copy.deepcopy(teacher.config).to_dict()
    halves = [values[name] for half in HALVES if isinstance(values.get(name := f"{half}_config"), dict)]
    for one in halves or [values]:
        _narrow(one, fraction)
        if layers is not None:
            _shorten(one, layers)
    torch.manual_seed(seed)
    made: PreTrainedModel = type(teacher)(type(teacher.config).from_dict(values))
    if hasattr(teacher, "generation_config"):
        made.generation_config = copy.deepcopy(teacher.generation_config)
    return made


def _narrow(values: dict[str, Any], fraction: float) -> None:
    """Make the widths of a configuration smaller, with as many heads less."""
    for name in _HEADS:
        if isinstance(values.get(name), int):
            values[name] = max(1, round(fraction * values[name]))
    if isinstance(values.get("num_key_value_heads"), int):  # the heads of queries are divided among them
        shared = values["num_key_value_heads"]
        values["num_attention_heads"] = max(shared, values["num_attention_heads"] // shared * shared)
    heads = next((values[name] for name in ("num_attention_heads", "n_head", "n_heads") if name in values), 1)
    for name in _WIDTHS:
        if isinstance(values.get(name), int):
            values[name] = _rounded(fraction * values[name], _FEWEST * heads)
    for name in _STAGES:
        if isinstance(values.get(name), list):
            values[name] = [_rounded(fraction * one, _FEWEST) for one in values[name]]
    if isinstance(values.get("head_dim"), int) and values.get("hidden_size"):
        values["head_dim"] = values["hidden_size"] // heads


def _shorten(values: dict[str, Any], layers: int) -> None:
    """Give a configuration another number of layers. Raises :class:`BadRequest` for a kind that is not known here."""
    kind = values["model_type"]
    known = ANATOMIES.get(kind)
    count = "num_hidden_layers" if kind.startswith("clip_") else known.layer_count if known else None
    if count is None:
        raise BadRequest(f"--layers: where a {kind} has its layers is not known here")
    if isinstance(values.get("layer_types"), list):
        kept = spread(len(values["layer_types"]), layers)
        values["layer_types"] = [values["layer_types"][number] for number in kept]
    values[count] = layers


def _rounded(width: float, multiple: int) -> int:
    return max(multiple, round(width / multiple) * multiple)
