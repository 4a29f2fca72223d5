"""Intervals cover the truth about as often as they say, and a difference that is none is called none."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.measure.resampling import Sums, all_alike, differences, intervals, mcnemar, mean, ratio, value_of

SETTINGS = {"seed": 0, "resamples": 500, "confidence": 0.95, "told": lambda done: None}


def test_a_mean_has_the_interval_of_theory():
    values = np.random.default_rng(0).normal(10, 2, 400)
    found = intervals({"mean": mean(values)}, **{**SETTINGS, "resamples": 4000})["mean"]
    half = 1.96 * values.std(ddof=1) / 20
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == (
        pytest.approx(values.mean() - half, abs=half / 10),
        pytest.approx(values.mean() + half, abs=half / 10),
    )


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    held = 0
    for sample in range(100):
        values = np.random.default_rng(sample).random(100) < 0.8
        found = intervals({"share": mean(values)}, **SETTINGS)["share"]
        held += found.low <= 0.8 <= found.high
    assert 88 <= held <= 100


def test_a_bootstrap_of_sums_is_that_of_the_documents_drawn_again():
    random = np.random.default_rng(1)
    above, below = random.random(30), random.integers(1, 9, 30)
    weights = random.integers(0, 3, (5, 30)).astype(float)
    wanted = [np.repeat(above, row.astype(int)).sum() / np.repeat(below, row.astype(int)).sum() for row in weights]
    assert ratio(above, below)(weights) == pytest.approx(wanted)
    assert value_of(ratio(above, below)) == pytest.approx(above.sum() / below.sum())


def test_percentiles_are_those_of_the_resamples_and_bca_moves_them_where_they_are_skewed():
    values = np.random.default_rng(2).lognormal(0, 1, (60, 1))
    plain = Sums(values, lambda sums: sums[:, 0], corrected=False)
    moved = intervals({"plain": plain, "bca": Sums(values, lambda sums: sums[:, 0])}, **SETTINGS)
    assert moved["plain"].value == moved["bca"].value
    assert moved["bca"].low > moved["plain"].low
    assert moved["bca"].high > moved["plain"].high


def test_the_same_seed_gives_the_same_interval_and_another_another():
    values = np.random.default_rng(3).random(50)
    one, same, other = (intervals({"x": mean(values)}, **{**SETTINGS, "seed": seed})["x"] for seed in (1, 1, 2))
    assert one == same
    assert one != other
    assert one.value == other.value


def test_where_nothing_varies_there_is_no_interval():
    assert intervals({"x": mean(np.ones(10))}, **SETTINGS)["x"] == (1, None, None)
    assert intervals({"x": mean(np.array([0.3]))}, **SETTINGS)["x"].low is None
    assert all_alike(10, 0.95) == pytest.approx(0.3085, abs=1e-4)  # Clopper & Pearson's table: 10 of 10


def test_told_hears_of_every_resample():
    heard: list[int] = []
    intervals({"x": mean(np.arange(5))}, **{**SETTINGS, "told": heard.append})
    assert heard == [*range(64, 500, 64), 500]


def test_a_difference_of_the_same_documents_is_seen_through_their_spread():
    """Documents differ far more from each other than the models do: only pairs can tell."""
    random = np.random.default_rng(4)
    hard = random.normal(0, 10, 200)
    better, worse = hard + 0.5 + random.normal(0, 1, 200), hard + random.normal(0, 1, 200)
    found = differences({"x": mean(better)}, {"x": mean(worse)}, **SETTINGS)["x"]
    assert found.is_real
    assert found.low < found.value < found.high
    assert found.p_value < 0.05
    alone = intervals({"x": mean(better)}, **SETTINGS)["x"]
    assert alone.low < worse.mean() < alone.high


def test_of_two_equal_models_few_differences_are_called_real():
    """At 95% one in twenty is; and the p-value says the same as the interval."""
    real = 0
    for sample in range(100):
        random = np.random.default_rng(sample)
        one, other = random.random(150) < 0.7, random.random(150) < 0.7
        found = differences({"x": mean(one)}, {"x": mean(other)}, **{**SETTINGS, "seed": sample})["x"]
        real += found.is_real
        assert found.is_real == (found.p_value < 0.05) or abs(found.p_value - 0.05) < 0.01
    assert real <= 12


def test_a_model_does_not_differ_from_itself():
    values = np.random.default_rng(5).random(40)
    found = differences({"x": mean(values)}, {"x": mean(values)}, **SETTINGS)["x"]
    assert (found.value, found.p_value, found.is_real) == (0, 1, False)


def test_a_difference_that_every_document_shares_is_real_if_there_are_enough():
    for documents, is_real in ((5, False), (6, True), (40, True)):
        found = differences({"x": mean(np.ones(documents))}, {"x": mean(np.zeros(documents))}, **SETTINGS)["x"]
        assert found.value == 1
        assert found.is_real == is_real
        assert found.p_value == 2 * 0.5**documents
    random = np.random.default_rng(7).random(30)
    assert differences({"x": mean(random + 0.1)}, {"x": mean(random)}, **SETTINGS)["x"].is_real


def test_mcnemar_is_the_binomial_test():
    stats = pytest.importorskip("scipy.stats", reason="scipy comes with scikit-learn, of the extra test")
    random = np.random.default_rng(6)
    for share in (0.5, 0.6, 0.8):
        one, other = random.random(300) < share, random.random(300) < 0.6
        only_one, only_other = int((one & ~other).sum()), int((~one & other).sum())
        wanted = stats.binomtest(only_one, only_one + only_other, 0.5).pvalue
        assert mcnemar(one, other) == pytest.approx(wanted)
    assert mcnemar(one, one) == 1


def test_measures_of_other_documents_are_refused():
    with pytest.raises(ValueError, match="not of the same"):
        differences({"x": mean(np.ones(3))}, {"x": mean(np.ones(4))}, **SETTINGS)
