"""Signature: what goes into a graph and what comes out of it."""

from __future__ import annotations

from typing import Any, NamedTuple


class Tensor(NamedTuple):
    """What goes into a graph or comes out of it: its name there, its type as numpy calls it, and its extents, those
    that are free by a name."""

    name: str
    type: str
    shape: tuple[int | str, ...]


class Signature(NamedTuple):
    """All that goes into a graph and comes out of it, in order."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def to_json(self) -> dict[str, Any]:
        return {"inputs": [one._asdict() for one in self.inputs], "outputs": [one._asdict() for one in self.outputs]}
