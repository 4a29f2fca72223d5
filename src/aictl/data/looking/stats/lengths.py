"""How a quantity is distributed, in a table of fixed size: every power of two is cut into ``PARTS`` equal bins.

Numbers below ``PARTS`` are exact, and a quantile above is off by 0.4 % at most (HdrHistogram's layout,
http://hdrhistogram.org).
"""

from __future__ import annotations

from typing import Any

import numpy as np

BITS = 7
PARTS = 1 << BITS
_BINS = PARTS * (64 - BITS)
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
MOST_BARS = 24


class Lengths:
    """Whole numbers, none below 0."""

    def __init__(self) -> None:
        self.counts: np.ndarray = np.zeros(_BINS, np.int64)
        self.least, self.most, self.sum = np.iinfo(np.int64).max, 0, 0

    def add(self, values: np.ndarray) -> None:
        if not len(values):
            return
        self.counts += np.bincount(_bins(values), minlength=_BINS)
        self.least, self.most = min(self.least, int(values.min())), max(self.most, int(values.max()))
        self.sum += int(values.sum())

    def merge(self, other: Lengths) -> None:
        self.counts += other.counts
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)
        self.sum += other.sum

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    def quantile(self, share: float) -> int:
        """The number that ``share`` of all numbers do not exceed."""
        wanted = max(1, int(np.ceil(share * self.count)))
        at = int(np.searchsorted(np.cumsum(self.counts), wanted))
        return min(max((_edge(at) + _edge(at + 1) - 1) // 2, self.least), self.most)

    def bars(self) -> list[tuple[int, int, int]]:
        """``(from, below, count)`` of neighbouring ranges, each a power of two or an equal part of one."""
        if not self.count:
            return []
        there = np.flatnonzero(self.counts)
        width = PARTS
        low, high = int(there[0]), int(there[-1])
        most = min(MOST_BARS, self.count)
        while width > 1 and high // (width // 2) - low // (width // 2) < most:
            width //= 2
        return [
            (_edge(first), _edge(first + width), int(self.counts[first : first + width].sum()))
            for first in range(low // width * width, high + 1, width)
        ]

    def to_json(self, *, bars: bool = True) -> dict[str, Any] | None:
        """``min``, ``mean``, ``max``, ``quantiles`` by their per cents, and with ``bars`` ``histogram``; None if there
        are no numbers."""
        if not self.count:
            return None
        found: dict[str, Any] = {
            "min": self.least,
            "mean": round(self.sum / self.count, 1),
            "max": self.most,
            "quantiles": {f"{100 * share:g}": self.quantile(share) for share in QUANTILES},
        }
        if bars:
            found["histogram"] = [{"from": low, "below": high, "documents": count} for low, high, count in self.bars()]
        return found


def _bins(values: np.ndarray) -> np.ndarray:
    _, exponents = np.frexp(values.astype(np.float64))
    shifts = np.maximum(exponents.astype(np.int64) - 1 - BITS, 0)
    return (shifts << BITS) + (values >> shifts)


def _edge(number: int) -> int:
    """The least number of a bin."""
    shift = max((number >> BITS) - 1, 0)
    return (number - (shift << BITS)) << shift
