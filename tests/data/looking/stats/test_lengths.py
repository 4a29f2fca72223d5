"""Distributions in a table of fixed size: exact below 128, and within 0.4 % above."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from aictl.data.looking.stats.lengths import QUANTILES, Lengths


def of(*parts: np.ndarray) -> Lengths:
    whole = Lengths()
    for part in parts:
        one = Lengths()
        one.add(part)
        whole.merge(one)
    return whole


def test_small_numbers_are_exact():
    values = np.arange(100)
    lengths = of(values[:30], values[30:])
    assert [lengths.quantile(share) for share in (0, 0.01, 0.5, 0.505, 1)] == [0, 0, 49, 50, 99]
    assert (lengths.least, lengths.most, lengths.sum, lengths.count) == (0, 99, 4950, 100)


@pytest.mark.parametrize("seed", range(5))
def test_quantiles_of_large_numbers_are_close(seed):
    maker = np.random.default_rng(seed)
    values = np.exp(maker.uniform(0, 30, 10_000)).astype(np.int64)
    lengths = of(*np.array_split(values, 7))
    ordered = np.sort(values)
    for share in QUANTILES:
        exact = int(ordered[int(np.ceil(share * len(values))) - 1])
        assert abs(lengths.quantile(share) - exact) <= max(0.5, 0.004 * exact)
    assert lengths.to_json()["mean"] == pytest.approx(values.mean(), abs=0.1)


@pytest.mark.parametrize("values", [[5], [0], [0, 1, 2], [128, 129], [1, 10**12], list(range(3000))])
def test_bars_hold_every_number_once(values):
    lengths = of(np.array(values))
    bars = lengths.bars()
    assert sum(count for *_, count in bars) == len(values) and len(bars) <= 48
    assert all(below == low for (_, below, _), (low, _, _) in itertools.pairwise(bars))
    for low, below, count in bars:
        assert count == sum(low <= value < below for value in values)


def test_no_numbers_say_nothing():
    assert of().to_json() is None and of(np.empty(0, np.int64)).bars() == []
