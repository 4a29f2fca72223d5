"""Engine: what a runtime has to offer so that text can be generated on it.

A runtime runs the network over tokens and remembers their keys and values; everything else
(tokenizer, sampling, stopping) is the same for all and stands in :mod:`aictl.inference.decoding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from aictl.inference.scoring import Scored, Stretch


class CachedSequence(Protocol):
    """One sequence under way, with the keys and values of all tokens so far."""

    def append(self, ids: Sequence[int], *, every: bool = False) -> np.ndarray:
        """Run the network over further tokens.

        Returns the float32 logits that follow the last token, shape (vocabulary,), or with
        ``every`` those that follow each of ``ids``, shape (len(ids), vocabulary).
        """
        ...


class Engine(Protocol):
    """A loaded network. Sequences are independent and may be used from several threads at once."""

    def open(self, capacity: int) -> CachedSequence:
        """Begin a sequence that will hold at most ``capacity`` tokens."""
        ...

    def score(self, stretches: Sequence[Stretch]) -> list[Scored]:
        """What it costs to predict each of some stretches, which do not depend on each other."""
        ...

    def close(self) -> None: ...
