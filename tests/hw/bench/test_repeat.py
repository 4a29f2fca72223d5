"""When a figure is repeated enough, and how well it is known."""

from __future__ import annotations

import random
import statistics

import pytest

from aictl.hw.bench.repeat import LEAST, repeat, seconds_of, spread


class Machine:
    """Operations that take what a rule says; its own seconds pass, none of ours."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.seconds, self.samples = 0.0, seconds, []
        monkeypatch.setattr("aictl.hw.bench.repeat.time.perf_counter", lambda: self.now)

    def sample(self, count):
        took = sum(self.seconds() for _ in range(count))
        self.now += took
        self.samples.append(count)
        return took


def test_a_steady_operation_is_measured_as_it_is(monkeypatch):
    figure = repeat(Machine(monkeypatch, lambda: 0.001).sample, budget_s=1.0)
    assert figure.seconds == pytest.approx(0.001)
    assert figure.spread == pytest.approx(0)
    assert figure.repeats >= LEAST
    assert figure.rate(5) == pytest.approx(5000)


def test_the_first_run_is_slow_and_does_not_count(monkeypatch):
    times = iter([1.0, *[0.01] * 1000])
    assert repeat(Machine(monkeypatch, lambda: next(times)).sample, budget_s=10.0).seconds == pytest.approx(0.01)


def test_what_is_short_is_done_many_times_in_one_sample(monkeypatch):
    machine = Machine(monkeypatch, lambda: 1e-6)
    repeat(machine.sample, budget_s=0.1, sample_s=0.005)
    assert machine.samples[0] == 1
    assert machine.samples[-1] * 1e-6 >= 0.005


def test_what_varies_is_repeated_until_its_spread_is_small(monkeypatch):
    chance = random.Random(0)
    steady = repeat(Machine(monkeypatch, lambda: 0.01).sample, budget_s=1.0)
    varied = repeat(Machine(monkeypatch, lambda: 0.01 * (1 + 0.2 * chance.random())).sample, budget_s=100.0)
    assert varied.repeats > steady.repeats
    assert varied.spread <= 0.02


def test_the_budget_ends_what_never_becomes_known(monkeypatch):
    chance = random.Random(0)
    machine = Machine(monkeypatch, lambda: 0.01 * (1 + 5 * chance.random()))
    figure = repeat(machine.sample, budget_s=1.0)
    assert 1.0 < machine.now < 1.2
    assert figure.spread > 0.02


def test_what_takes_longer_than_its_budget_says_that_its_spread_is_not_known(monkeypatch):
    figure = repeat(Machine(monkeypatch, lambda: 1.0).sample, budget_s=1.0)
    assert figure.spread is None
    assert 1 <= figure.repeats < LEAST


def test_the_interval_holds_the_median_as_often_as_it_says():
    """Of skewed times, whose true median is known, at least 95 % of the intervals hold it."""
    chance = random.Random(1)
    for count in (6, 11, 30):
        held = 0
        for _ in range(2000):
            times = sorted(chance.expovariate(1.0) for _ in range(count))
            half = spread(times) * statistics.median(times)
            low, high = _interval(times, 2 * half)
            held += low <= 0.6931 <= high
        assert held / 2000 >= 0.94


def _interval(times, width):
    """The pair of order statistics, the same number from each end, that lies so far apart."""
    return next(
        (low, high) for low, high in zip(times, reversed(times), strict=True) if high - low == pytest.approx(width)
    )


def test_a_call_is_timed_by_the_clock():
    done = []
    assert seconds_of(lambda: done.append(1))(7) > 0
    assert len(done) == 7
