"""Races are interleaved and fair, and the interval of their ratio covers the truth."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.core.errors import BadRequest
from aictl.inference.load import load
from aictl.measure.speed import Speed, race, speed_up


def noisy(seconds: float, seed: int, rounds: int = 15) -> Speed:
    times = tuple(seconds * np.random.default_rng(seed).lognormal(0, 0.1, rounds))
    return Speed(times, times)


def test_the_interval_covers_the_ratio_and_leaves_out_others():
    for seed in range(20):
        gained = speed_up(noisy(0.060, seed), noisy(0.010, seed + 100))
        assert gained.low <= gained.ratio <= gained.high
        assert gained.low > 4
        assert gained.high < 9
    assert speed_up(noisy(1, 1), noisy(1, 1)).ratio == pytest.approx(1)


def test_a_slow_minute_that_hits_both_alike_does_not_widen_the_interval():
    slow = np.linspace(1, 5, 9)
    gained = speed_up(Speed(tuple(slow), tuple(slow * 0.06)), Speed(tuple(slow), tuple(slow * 0.02)))
    assert (gained.low, gained.high) == (pytest.approx(3), pytest.approx(3))


def test_every_contestant_runs_every_round(chat_model):
    model = load(chat_model, threads=1, device="cpu")
    texts = [model.encode("The quick brown fox jumps over the lazy dog")]
    speeds = race({"one": model, "two": model}, texts, rounds=3, decoded=8)
    assert set(speeds) == {"one", "two"}
    for speed in speeds.values():
        assert len(speed.decode_s) == len(speed.prefill_s) == 3
        assert min(speed.decode_s) > 0
        assert speed.decode_tokens_per_s == pytest.approx(1 / np.median(speed.decode_s))


def test_texts_that_are_too_short_are_refused(chat_model):
    model = load(chat_model, threads=1, device="cpu")
    for texts in ([], [model.encode("short")]):
        with pytest.raises(BadRequest):
            race({"one": model}, texts, decoded=8)
