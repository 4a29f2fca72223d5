from __future__ import annotations

import pytest

from aictl.core.errors import WorkFailed
from aictl.training.divergence import Spikes

USUAL = [3.0 + 0.1 * (step % 5) for step in range(40)]


def test_a_bad_batch_now_and_then_is_none():
    spikes = Spikes(3)
    for loss in [*USUAL, 9.0, 9.0, *USUAL, 9.0, *USUAL]:
        spikes.add(loss, lambda: "never")


def test_a_loss_that_stays_high_is_and_the_first_batch_is_named():
    spikes = Spikes(3, USUAL)
    names = iter(["rows 7, 8", "rows 9, 10", "rows 11, 12"])
    with pytest.raises(WorkFailed, match=r"stayed at 8, and was 3\.2 before; it rose in a batch of rows 7, 8"):
        for loss in (9.0, 9.0, 8.0):
            spikes.add(loss, lambda: next(names))


def test_a_falling_or_noisy_loss_is_none():
    spikes = Spikes(1)
    for step in range(200):
        spikes.add(8.0 / (1 + step / 20) + 0.3 * (step * 7919 % 11) / 11, lambda: "never")


def test_patience_0_watches_nothing():
    spikes = Spikes(0, USUAL)
    for _ in range(100):
        spikes.add(1e9, lambda: "never")
