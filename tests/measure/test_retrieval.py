"""Ranks by likeness, and what is made of them."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.measure.resampling import value_of
from aictl.measure.retrieval import find, measures


def test_the_rank_is_the_place_in_the_sorted_likenesses():
    random = np.random.default_rng(0)
    queries, things = random.normal(size=(300, 8)).astype(np.float32), random.normal(size=(90, 8)).astype(np.float32)
    belongs = random.integers(0, 90, 300)
    order = np.argsort(-(queries @ things.T), axis=1)
    wanted = [list(row).index(own) + 1 for row, own in zip(order, belongs, strict=True)]
    found = find(queries, things, belongs)
    assert list(found.ranks) == wanted
    assert list(found.first) == list(order[:, 0])


def test_a_model_for_which_everything_is_alike_gains_nothing():
    same = np.ones((101, 4), np.float32) / 2
    assert set(find(same, same, np.arange(101)).ranks) == {51}


def test_ndcg_is_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is of the extra test")
    random = np.random.default_rng(1)
    likeness = random.random((50, 30))
    belongs = random.integers(0, 30, 50)
    truth = np.eye(30)[belongs]
    rank = 1 + (likeness > likeness[np.arange(50), belongs][:, None]).sum(axis=1)
    found = {name: value_of(measure) for name, measure in measures(rank).items()}
    assert found["ndcg@10"] == pytest.approx(metrics.ndcg_score(truth, likeness, k=10))
    assert found["mrr"] == pytest.approx(metrics.label_ranking_average_precision_score(truth, likeness))
    assert found["recall@5"] == pytest.approx(metrics.top_k_accuracy_score(belongs, likeness, k=5, labels=range(30)))
