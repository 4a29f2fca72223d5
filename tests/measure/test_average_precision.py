from __future__ import annotations

import numpy as np
import pytest

from aictl.measure.average_precision import Found, MeanAveragePrecision, mean_average_precision, overlaps


def found(boxes: list[tuple[int, list[float], float]]) -> Found:
    return Found(
        np.array([label for label, _, _ in boxes], dtype=np.int64),
        np.array([box for _, box, _ in boxes], dtype=np.float64).reshape(-1, 4),
        np.array([score for _, _, score in boxes]),
    )


LEFT, RIGHT, FAR = [0.0, 0.0, 0.4, 0.4], [0.5, 0.0, 0.9, 0.4], [0.0, 0.6, 0.2, 0.9]


def test_overlap_is_intersection_over_union():
    halves = overlaps(np.array([[0, 0, 1, 1.0]]), np.array([[0, 0, 1, 0.5], [0.5, 0, 1.5, 1], [2, 2, 3, 3]]))
    assert halves[0].tolist() == pytest.approx([0.5, 1 / 3, 0])


def test_all_found_and_nothing_else_is_one():
    truth = [found([(0, LEFT, 0), (1, RIGHT, 0)])]
    assert mean_average_precision([found([(0, LEFT, 0.9), (1, RIGHT, 0.8)])], truth, 2, 0.5) == (1.0, 1.0)


def test_a_wrong_guess_costs_by_how_sure_it_is():
    truth = [found([(0, LEFT, 0)])]
    late = mean_average_precision([found([(0, LEFT, 0.9), (0, FAR, 0.1)])], truth, 1, 0.5)
    early = mean_average_precision([found([(0, LEFT, 0.1), (0, FAR, 0.9)])], truth, 1, 0.5)
    assert (late, early) == ((1.0, 1.0), (0.5, 1.0))


def test_a_box_is_found_once_and_a_class_that_is_not_there_counts_for_nothing():
    truth = [found([(0, LEFT, 0), (0, RIGHT, 0)])]
    twice = found([(0, LEFT, 0.9), (0, LEFT, 0.8), (2, FAR, 0.7)])
    assert mean_average_precision([twice], truth, 3, 0.5) == (0.5, 0.5)


def test_pictures_without_boxes_hold_only_wrong_guesses():
    truth = [found([]), found([(0, LEFT, 0)])]
    answers = [found([(0, LEFT, 0.9)]), found([(0, LEFT, 0.8)])]
    assert mean_average_precision(answers, truth, 1, 0.5) == (0.5, 1.0)
    assert mean_average_precision([found([]), found([])], truth, 1, 0.5) == (0.0, 0.0)


def test_of_a_resample_it_is_that_of_the_pictures_drawn():
    random = np.random.default_rng(0)
    answers = [
        found([(int(random.integers(2)), box, float(random.random())) for box in (LEFT, RIGHT, FAR)]) for _ in range(8)
    ]
    truths = [found([(int(random.integers(2)), box, None) for box in (LEFT, RIGHT)]) for _ in range(8)]
    measure = MeanAveragePrecision(answers, truths, 2, 0.5)
    drawn = np.array([[1] * 8, [1, 0, 1, 0, 1, 1, 0, 1]], dtype=float)
    for weights, value in zip(drawn, measure(drawn), strict=True):
        kept = [[one for one, weight in zip(rows, weights, strict=True) if weight] for rows in (answers, truths)]
        assert value == pytest.approx(mean_average_precision(*kept, 2, 0.5)[0])
    assert np.isnan(MeanAveragePrecision(answers, [found([]) for _ in range(8)], 2, 0.5)(drawn)).all()
