"""What a rule book says of every text of a block: the first of its rules that the text breaks, if any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Verdicts:
    """Collects, rule by rule, which texts break it; the first rule that is broken stands."""

    def __init__(self, count: int) -> None:
        self.broken: np.ndarray = np.zeros(count, np.int16)
        self.rules: list[str] = []

    def add(self, rule: str, breaks: np.ndarray) -> None:
        """Note the texts (bool for each) that break one more rule."""
        self.rules.append(rule)
        self.broken[(self.broken == 0) & breaks] = len(self.rules)

    @property
    def open(self) -> np.ndarray:
        """Whether each text has broken no rule so far."""
        return self.broken == 0

    def names(self) -> Sequence[str | None]:
        """The rule that each text breaks, or None."""
        table = [None, *self.rules]
        return [table[number] for number in self.broken.tolist()]


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``, and 0 where there is nothing."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
