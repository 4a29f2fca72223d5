from __future__ import annotations

import pytest
import torch

from aictl.training.optimizer import learning_rate, optimizer_of
from aictl.training.spec import OptimizerSpec

SPEC = OptimizerSpec(warmup_fraction=0.1, final_rate_fraction=0.1)


def test_the_rate_rises_linearly_then_falls_along_a_cosine():
    rates = [learning_rate(step, 101, 1.0, SPEC) for step in range(101)]
    warmup = 11  # a tenth, rounded up
    assert rates[0] == pytest.approx(1 / warmup)
    assert rates[warmup - 1] == 1.0
    assert rates[warmup + (100 - warmup) // 2] == pytest.approx(0.55, abs=0.02)
    assert rates[-1] == pytest.approx(0.1)
    assert max(rates) == 1.0
    assert all(a >= b for a, b in zip(rates[warmup:], rates[warmup + 1 :], strict=False))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_very_short_runs_have_a_rate(steps):
    rates = [learning_rate(step, steps, 1e-3, SPEC) for step in range(steps)]
    assert all(0 < rate <= 1e-3 for rate in rates)


def test_no_warm_up_starts_at_the_peak():
    assert learning_rate(0, 10, 1.0, OptimizerSpec(warmup_fraction=0)) == 1.0


def test_vectors_are_not_decayed_and_frozen_weights_left_out():
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 2))
    model[2].requires_grad_(False)
    groups = optimizer_of(model, OptimizerSpec(weight_decay=0.3)).param_groups
    decay = {group["weight_decay"]: [tuple(p.shape) for p in group["params"]] for group in groups}
    assert decay == {0.3: [(4, 4)], 0.0: [(4,), (4,), (4,)]}
