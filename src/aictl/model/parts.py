"""The parts of a network and how large each is, by the names of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

from aictl.artifacts.model import count_weights


class Part(NamedTuple):
    """Tensors that belong together: ``model.layers`` of 30 ``copies``, which are alike but for their number."""

    name: str
    copies: int
    parameters: int


def parts(tensors: Mapping[str, Mapping[str, Any]]) -> list[Part]:
    """The parts of a network in the order of their names' first appearance, by the entries of safetensors headers.

    A name is cut at its first number: ``model.layers.0.mlp.up_proj.weight`` belongs to ``model.layers``. One
    without a number loses its last word, which says what the tensor is to its module: ``lm_head.weight``.
    """
    sizes: dict[str, int] = {}
    copies: dict[str, set[str]] = {}
    for name, entry in tensors.items():
        if not count_weights([entry]):
            continue
        words = name.split(".")
        at = next((place for place, word in enumerate(words) if word.isdigit()), None)
        part = ".".join(words[:at] if at else words[:-1]) or name
        sizes[part] = sizes.get(part, 0) + prod(entry["shape"])
        copies.setdefault(part, set()).update([words[at]] if at else [])
    return [Part(name, max(1, len(copies[name])), count) for name, count in sizes.items()]
