"""The label model on votes whose truth is known: it beats the majority, and bad functions do not fool it."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.data.label.label_model import fit, majority
from aictl.data.label.votes import patterns

NOBODY = -1


def unknown(votes: np.ndarray) -> np.ndarray:
    return np.full(len(votes), -1, np.int16)


def votes_of(truth: np.ndarray, hit: list[float], false: list[float], label: list[int], seed: int = 0) -> np.ndarray:
    """Functions that give one label each: at rate ``hit`` where it is right, ``false`` where it is not."""
    random = np.random.default_rng(seed)
    columns = []
    for h, f, v in zip(hit, false, label, strict=True):
        fires = random.random(len(truth)) < np.where(truth == v, h, f)
        columns.append(np.where(fires, v, -1))
    return np.stack(columns, axis=1).astype(np.int8)


def accuracy(posterior: np.ndarray, found, truth: np.ndarray) -> float:
    covered = found.covered[found.of]
    return float((posterior.argmax(axis=1)[found.of] == truth)[covered].mean())


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(1).choice(3, 6000, p=[0.6, 0.3, 0.1]).astype(np.int16)


def test_it_beats_the_majority_where_functions_differ_in_worth(truth):
    votes = votes_of(truth, [0.6, 0.3, 0.6, 0.3, 0.7, 0.5], [0.02, 0.1, 0.05, 0.1, 0.02, 0.1], [0, 0, 1, 1, 2, 2])
    found = patterns(votes, unknown(votes))
    fitted = fit(found, 3)
    assert accuracy(fitted.posterior, found, truth) > accuracy(majority(found, 3), found, truth) + 0.01
    right = [(truth[votes[:, one] >= 0] == votes[votes[:, one] >= 0, one]).mean() for one in range(6)]
    assert np.argsort(fitted.accuracy)[-1] in np.argsort(right)[-2:], "the best function is among the best believed"
    assert fitted.accuracy[5] == fitted.accuracy.min() and right[5] == min(right)
    assert np.allclose(fitted.posterior.sum(axis=1), 1, atol=1e-6)


def test_nothing_depends_on_the_order_of_documents(truth):
    votes = votes_of(truth, [0.5, 0.5, 0.6], [0.1, 0.1, 0.1], [0, 1, 2])
    order = np.random.default_rng(2).permutation(len(votes))
    one, other = patterns(votes, unknown(votes)), patterns(votes[order], unknown(votes))
    assert np.array_equal(one.votes, other.votes) and np.array_equal(one.counts, other.counts)
    assert np.array_equal(one.of[order], other.of)
    assert np.array_equal(fit(one, 3).posterior, fit(other, 3).posterior)


def test_what_people_said_is_certain_and_teaches(truth):
    """Three functions share an error, so agreement alone believes them; sixty reviews tell otherwise."""
    votes = votes_of(truth, [0.5], [0.45], [1], seed=3)
    votes = np.concatenate([np.repeat(votes, 3, axis=1), votes_of(truth, [0.9], [0.02], [0], seed=4)], axis=1)
    known = unknown(votes)
    reviewed = np.flatnonzero((votes >= 0).any(axis=1))[:60]
    alone = patterns(votes, known)
    before = accuracy(fit(alone, 3).posterior, alone, truth)
    known[reviewed] = truth[reviewed]
    found = patterns(votes, known)
    fitted = fit(found, 3)
    rest = np.ones(len(truth), bool)
    rest[reviewed] = False
    rest &= (votes >= 0).any(axis=1)
    after = (fitted.posterior.argmax(axis=1)[found.of] == truth)[rest].mean()
    assert after > before + 0.05
    assert (fitted.posterior[found.of][reviewed, truth[reviewed]] == 1).all()


@pytest.mark.parametrize(
    "votes",
    [
        [[-1, -1], [-1, -1]],  # nobody
        [[0, -1], [0, -1], [0, -1]],  # one function, one label
        [[0, 1], [1, 0], [0, 1], [1, 0]],  # nothing but conflict
        [[0, 0]],  # one document
        [[0, 0]] * 50,  # one class alone
    ],
)
def test_votes_that_teach_nothing_still_give_probabilities(votes):
    table = np.array(votes, np.int8)
    fitted = fit(patterns(table, unknown(table)), 2)
    assert np.isfinite(fitted.posterior).all() and np.allclose(fitted.posterior.sum(axis=1), 1, atol=1e-6)
    assert np.isfinite(fitted.shares).all()


def test_a_silent_function_changes_nothing_and_has_no_accuracy(truth):
    votes = votes_of(truth, [0.5, 0.6], [0.1, 0.1], [0, 1])
    silent = np.concatenate([votes, np.full((len(votes), 1), NOBODY, np.int8)], axis=1)
    one, other = fit(patterns(votes, unknown(votes)), 3), fit(patterns(silent, unknown(silent)), 3)
    assert np.allclose(one.posterior, other.posterior) and np.isnan(other.accuracy[2])
