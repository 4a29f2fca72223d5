"""Repeating a measurement until its spread is known and small, or its time is up.

A figure is the median of its repeats, and its uncertainty the distribution-free confidence interval
of that median, by order statistics: times on a machine are skewed, and no normal distribution is
assumed (Hoefler and Belli, "Scientific benchmarking of parallel computing systems", SC'15, rules 5
and 6; Le Boudec, "Performance evaluation of computer and communication systems", 2010, theorem 2.1).
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

CONFIDENCE = 0.95
TARGET = 0.02  # a spread below this is small
LEAST = 6  # the fewest repeats that have an interval: both ends lie outside it with 2 × 0.5^6 = 3 %
MOST = 400

# Seconds that some number of operations took, one after the other.
Sample = Callable[[int], float]


class Figure(NamedTuple):
    """Seconds of one operation: the median over ``repeats`` samples and the interval around it.

    ``spread`` is half the interval's width over the median, or None where there were too few
    repeats to tell.
    """

    seconds: float
    spread: float | None
    repeats: int

    def rate(self, amount: float) -> float:
        """``amount`` per second."""
        return amount / self.seconds


def repeat(
    sample: Sample, *, budget_s: float, sample_s: float = 0.005, target: float = TARGET, most: int = MOST
) -> Figure:
    """Measure one operation.

    It is run once to warm up, then as many times in one sample as ``sample_s`` needs, so that the clock's own
    cost does not count. A quarter of the budget is always used: samples of one instant agree with each other
    and may all be of a bad one. What is slow is repeated less: past twice the budget there is no other repeat.
    """
    began = time.perf_counter()
    sample(1)
    count = 1
    while (took := sample(count)) < sample_s and count < 2**24:
        count = max(count + 1, min(count * 16, math.ceil(1.2 * count * sample_s / max(took, 1e-9))))
    times = [took / count]
    while len(times) < most:
        spent = time.perf_counter() - began
        enough = len(times) >= LEAST and spent > budget_s / 4 and (spent > budget_s or spread(times) <= target)
        if enough or spent > 2 * budget_s:
            break
        times.append(sample(count) / count)
    known = len(times) >= LEAST
    return Figure(statistics.median(times), spread(times) if known else None, len(times))


def interval(times: Sequence[float]) -> tuple[float, float]:
    """The 95 % confidence interval of the median; for at least six times."""
    ordered = sorted(times)
    skipped = _outside(len(ordered))
    return ordered[skipped], ordered[-1 - skipped]


def spread(times: Sequence[float]) -> float:
    """Half the width of the 95 % interval of the median, over the median; for at least six times."""
    low, high = interval(times)
    return (high - low) / 2 / statistics.median(times)


def _outside(count: int) -> int:
    """How many of ``count`` sorted values lie outside the interval at each end."""
    below, chance = 0, 0.5**count
    cumulated = chance
    while 2 * cumulated <= 1 - CONFIDENCE:
        below += 1
        chance = chance * (count - below + 1) / below
        cumulated += chance
    return below - 1


def seconds_of(call: Callable[[], object]) -> Sample:
    """A sample by the clock of whatever is done when the call returns."""

    def sample(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            call()
        return time.perf_counter() - start

    return sample
