"""Model: what the kinds of artifact have in common that are models, those that plugins bring among them.

A kind that is one derives from :class:`Model` and says in a :class:`Brief` what it is, by its files' headers alone,
so that a listing of models of many gigabytes takes no longer than one of small ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any, NamedTuple

from aictl.artifacts.capability import Capability
from aictl.core.artifact import Artifact

WEIGHED = "weighed.html"  # a page that holds a model which was made smaller or faster against what it was made from


class Brief(NamedTuple):
    """A model in a line. ``parameters`` are its own (of an adapter those that it adds), ``precision`` is the number
    format of its weights, ``context`` the longest input in tokens, ``base`` what it is nothing without. None is what
    cannot be known."""

    capability: Capability | None
    architecture: str | None = None
    parameters: int | None = None
    precision: str | None = None
    context: int | None = None
    base: str | None = None


class Model(Artifact):
    """An artifact of which something can be asked."""

    @property
    def capability(self) -> Capability | None:
        """What it can do; None where that is not known. Raises ``Damaged`` for files that cannot be read."""
        return None

    def brief(self) -> Brief:
        """What it is, by headers alone. Raises ``Damaged`` for files that cannot be read."""
        return Brief(self.capability)


# Formats of safetensors in which no weight is kept, but positions, masks and counts.
_NO_WEIGHTS = frozenset({"BOOL", "I16", "I32", "I64", "U16", "U32", "U64"})


def count_weights(tensors: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many weights there are of each number format, the most frequent first, by entries of safetensors headers
    (``{"dtype": "F32", "shape": [4, 8]}``)."""
    counts: dict[str, int] = {}
    for entry in tensors:
        if entry["dtype"] not in _NO_WEIGHTS:
            counts[entry["dtype"]] = counts.get(entry["dtype"], 0) + prod(entry["shape"])
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
