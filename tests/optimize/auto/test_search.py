"""Which of two candidates beats the other."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from aictl.optimize.auto.search import Tried, beats
from aictl.optimize.auto.ways import Way


def tried(loss: float, size: int, time: float, around: float = 0.01) -> Tried:
    found = SimpleNamespace(loss=loss, low=loss - around, high=loss + around)
    speed = {"size_bytes": size, "cpu_s": time}
    return Tried(Way("one", {}, lambda folder: {}), Path("one"), found=found, speed=speed)  # type: ignore[arg-type]


GOOD = tried(0.02, 100, 1.0)


@pytest.mark.parametrize(
    ("other", "is_beaten", "is_certain"),
    [
        (tried(0.03, 100, 1.0), True, False),  # the intervals overlap
        (tried(0.08, 100, 1.0), True, True),
        (tried(0.08, 99, 1.0), False, False),  # smaller
        (tried(0.08, 100, 0.9), False, False),  # faster
        (tried(0.08, 100, 0.99), True, True),  # faster by chance
        (tried(0.02, 100, 1.01), False, False),  # alike: neither beats the other
        (tried(0.02, 101, 1.0), True, False),
        (tried(0.02, 100, 1.1), True, False),
        (tried(-0.05, 200, 2.0), False, False),  # better
    ],
)
def test_one_beats_another_that_is_nowhere_before_it(other, is_beaten, is_certain):
    assert beats(GOOD, other, certainly=False) is is_beaten
    assert beats(GOOD, other, certainly=True) is is_certain
    assert not (is_beaten and beats(other, GOOD, certainly=False))
