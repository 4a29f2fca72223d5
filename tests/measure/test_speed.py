"""Races are interleaved and fair, and the interval of their ratio covers the truth."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.core.errors import BadRequest
from aictl.inference.load import load
from aictl.measure.speed import answering, decoding, race, speed_up


def noisy(seconds: float, seed: int, rounds: int = 15) -> list[float]:
    return list(seconds * np.random.default_rng(seed).lognormal(0, 0.1, rounds))


def test_the_interval_covers_the_ratio_and_leaves_out_others():
    for seed in range(20):
        gained = speed_up(noisy(0.060, seed), noisy(0.010, seed + 100))
        assert gained.low <= gained.ratio <= gained.high
        assert gained.low > 4
        assert gained.high < 9
    assert speed_up(noisy(1, 1), noisy(1, 1)).ratio == pytest.approx(1)


def test_a_slow_minute_that_hits_both_alike_does_not_widen_the_interval():
    slow = np.linspace(1, 5, 9)
    gained = speed_up(slow * 0.06, slow * 0.02)
    assert (gained.low, gained.high) == (pytest.approx(3), pytest.approx(3))


def test_every_contestant_runs_every_round_in_turn_and_the_first_does_not_count():
    order = []

    def contestant(name):
        def work():
            order.append(name)
            return {"phase": float(len(order))}

        return work

    times = race({"one": contestant("one"), "two": contestant("two")}, rounds=3)
    assert order == ["one", "two"] * 4
    assert times == {"one": {"phase": [3, 5, 7]}, "two": {"phase": [4, 6, 8]}}


def test_a_race_that_takes_long_ends_early_but_never_before_three_rounds_that_count():
    times = race({"one": lambda: {"phase": 1.0}}, rounds=9, within_s=0)
    assert len(times["one"]["phase"]) == 3


def test_a_language_model_is_timed_by_the_token(chat_model):
    model = load(chat_model, threads=1, device="cpu")
    found = decoding(model, [model.encode("The quick brown fox jumps over the lazy dog")], decoded=8)()
    assert set(found) == {"prefill", "decode"}
    assert min(found.values()) > 0


def test_a_network_runs_all_its_inputs_for_as_long_as_the_clock_needs():
    ran = []
    found = answering(lambda one, other: ran.append((one, other)), [(1, 2), (3, 4)], least_s=0.001)()
    assert ran[:2] == [(1, 2), (3, 4)]
    assert len(ran) % 2 == 0
    assert found["pass"] * len(ran) >= 0.001


def test_texts_that_are_too_short_are_refused(chat_model):
    model = load(chat_model, threads=1, device="cpu")
    for texts in ([], [model.encode("short")]):
        with pytest.raises(BadRequest):
            decoding(model, texts, decoded=8)
