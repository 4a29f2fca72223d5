"""What is the same agrees, and a distance is that of the place where it is largest."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.core.errors import WorkFailed
from aictl.measure.parity import parity


def test_the_worst_difference_the_agreement_and_the_least_cosine():
    logits = [np.random.default_rng(seed).normal(size=(seed, 9)).astype(np.float32) for seed in (3, 5)]
    same = parity(logits, logits)
    assert (same.worst, same.agreement) == (0.0, 1.0)
    assert same.cosine == pytest.approx(1)
    shifted = [one.copy() for one in logits]
    place = (logits[1][-1].argmax() + 1) % 9
    shifted[1][-1, place] += 100
    changed = parity(logits, shifted)
    assert changed.worst == pytest.approx(100, rel=1e-5)
    assert changed.agreement == 7 / 8
    assert changed.cosine < 0.9


def test_what_is_no_number_or_of_another_shape_is_refused():
    one = [np.ones((2, 3), np.float32)]
    with pytest.raises(WorkFailed, match="no finite"):
        parity(one, [np.array([[1, np.nan, 1], [1, 1, 1]], np.float32)])
    with pytest.raises(WorkFailed, match="shape|wanted"):
        parity(one, [np.ones((2, 4), np.float32)])
