"""A way of making a model smaller or faster, and what a search asks of all ways there are for one model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol


class Way(NamedTuple):
    """``name`` is a part of a file name; ``options`` say how, as the record tells it. ``write`` puts the candidate into
    an empty folder and returns what is to be told of it."""

    name: str
    options: Mapping[str, Any]
    write: Callable[[Path], Mapping[str, Any]]


class Ways(Protocol):
    """Those that can be tried on one model."""

    def first(self) -> Sequence[Way]:
        """What is tried in any case. May take a while: a way that others are sure to beat is left out before it is
        tried."""
        ...

    def further(self, way: Way) -> Sequence[Way]:
        """What is worth a try after one that lost more than is accepted, and is smaller or faster than what did not."""
        ...
