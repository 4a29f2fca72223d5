"""A curve is bounded, and means what was measured."""

from __future__ import annotations

import math

import pytest

from aictl.cli.sinks.series import MOST_POINTS, Series


def test_few_points_are_kept_as_they_are():
    series = Series()
    for step in range(100):
        series.add(step, step**2)
    assert series.points == [(step, step**2) for step in range(100)]


def test_many_points_become_means_of_neighbours():
    series = Series()
    for step in range(300_000):
        series.add(step, 3.0 * step + (1 if step % 2 else -1))
    assert MOST_POINTS / 2 <= len(series.points) < MOST_POINTS
    assert all(value == pytest.approx(3.0 * step) for step, value in series.points)
    steps = [step for step, _ in series.points]
    assert steps == sorted(steps) and steps[-1] > 299_000


def test_what_is_no_number_is_left_out():
    series = Series()
    for step, value in enumerate([1.0, math.nan, math.inf, 2.0]):
        series.add(step, value)
    assert series.points == [(0, 1.0), (3, 2.0)]


def test_another_run_begins_anew():
    series = Series()
    for step in [*range(3 * MOST_POINTS), 0, 1]:
        series.add(step, 1.0)
    assert series.points == [(0, 1.0), (1, 1.0)]
