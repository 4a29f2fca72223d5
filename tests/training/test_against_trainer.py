"""The loop beside Hugging Face's Trainer: the same model, batches and rates give the same losses."""

from __future__ import annotations

import pytest
from tests.bench import trainer
from tests.training.conftest import tiny_model

from aictl.core.events import silent
from aictl.training.loop import fit
from aictl.training.spec import LoopSpec, OptimizerSpec

STEPS, PEAK = 100, 1e-2


@pytest.mark.slow
def test_the_losses_of_a_hundred_steps_are_the_same(job, tmp_path):
    spec = OptimizerSpec()
    made = job(max_steps=STEPS, peak_rate=PEAK, optimizer=spec, loop=LoopSpec(seed=5, evaluate_every=STEPS))
    ours = fit(made, silent).history.values("loss")
    theirs = trainer.train(
        tiny_model(), made.batches, max_steps=STEPS, peak_rate=PEAK, spec=spec, bf16=False, folder=tmp_path / "trainer"
    )
    assert len(ours) == len(theirs) == STEPS
    assert ours[-1] < ours[0] - 1
    assert max(abs(one - other) for one, other in zip(ours, theirs, strict=True)) < 1e-3
