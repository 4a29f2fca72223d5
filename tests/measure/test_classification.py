"""What is measured of classifiers is what scikit-learn measures of the same predictions."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.measure import classification
from aictl.measure.classification import BANDS, Judged, MacroF1, bands, classes, confusions, measures
from aictl.measure.resampling import value_of

NAMES = ("ant", "bee", "cat", "dog", "never")


@pytest.fixture
def drawn():
    """The classes and the probabilities that a middling classifier gives for them."""
    random = np.random.default_rng(0)
    true = random.choice(4, 300, p=[0.6, 0.2, 0.15, 0.05])
    logits = random.normal(size=(300, 5)) - [0, 0, 0, 0, 9]
    logits[np.arange(300), true] += 1.5
    odds = np.exp(logits)
    return true, odds / odds.sum(axis=1, keepdims=True)


def judged(true, probabilities) -> Judged:
    rows = np.arange(len(true))
    return Judged(
        true,
        probabilities.argmax(1),
        probabilities[rows, true],
        probabilities.max(1),
        ((probabilities - np.eye(probabilities.shape[1])[true]) ** 2).sum(1),
    )


def test_they_are_scikit_learns(drawn):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is of the extra test")
    true, probabilities = drawn
    predicted = probabilities.argmax(1)
    found = {name: value_of(measure) for name, measure in measures(judged(true, probabilities)).items()}
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(true, predicted))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(true, predicted, average="macro"))
    assert found["micro_f1"] == pytest.approx(metrics.f1_score(true, predicted, average="micro"))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(true, probabilities, labels=range(5)))
    assert found["brier"] == pytest.approx(
        metrics.brier_score_loss(true, probabilities, labels=range(5), scale_by_half=False)
    )


def test_a_resample_of_f1_is_scikit_learns_of_the_documents_drawn(drawn):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is of the extra test")
    true, probabilities = drawn
    predicted = probabilities.argmax(1)
    picks = np.random.default_rng(1).integers(300, size=(3, 300))
    weights = np.stack([np.bincount(row, minlength=300) for row in picks]).astype(float)
    wanted = [metrics.f1_score(true[row], predicted[row], average="macro") for row in picks]
    assert MacroF1(true, predicted)(weights) == pytest.approx(wanted)


def test_classes_and_confusions_are_scikit_learns(drawn):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is of the extra test")
    true, probabilities = drawn
    one = judged(true, probabilities)
    wanted = metrics.precision_recall_fscore_support(true, one.predicted)
    found = classes(one, NAMES)
    assert [row.name for row in found] == list(NAMES[:4])
    assert [row.precision for row in found] == pytest.approx(list(wanted[0]))
    assert [row.recall for row in found] == pytest.approx(list(wanted[1]))
    assert [row.f1 for row in found] == pytest.approx(list(wanted[2]))
    assert [row.documents for row in found] == list(wanted[3])
    matrix = metrics.confusion_matrix(true, one.predicted)
    assert confusions(one) == {(a, b): matrix[a, b] for a in range(4) for b in range(4) if matrix[a, b]}


def test_the_calibration_error_is_that_of_the_bands(drawn):
    one = judged(*drawn)
    rows = bands(one.right, one.of_predicted)
    assert sum(row.documents for row in rows) == 300
    wanted = sum(row.documents * abs(row.accuracy - row.confidence) for row in rows if row.documents) / 300
    assert value_of(classification.calibration_error(one.right, one.of_predicted)) == pytest.approx(wanted)


def test_a_band_holds_its_upper_end():
    ends = np.array([0.0, 1 / BANDS, 1 / BANDS + 1e-9, 1.0])
    assert list(classification.band_of(ends)) == [0, 0, 1, BANDS - 1]
    sure = classification.calibration_error(np.array([True, False]), np.array([1.0, 1.0]))
    assert value_of(sure) == pytest.approx(0.5)


def test_more_classes_than_are_counted_at_once():
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is of the extra test")
    random = np.random.default_rng(2)
    true = random.integers(0, 500, 900)
    predicted = np.where(random.random(900) < 0.5, true, random.integers(0, 500, 900))
    assert value_of(MacroF1(true, predicted)) == pytest.approx(metrics.f1_score(true, predicted, average="macro"))
