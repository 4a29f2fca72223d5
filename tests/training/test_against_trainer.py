"""The loop beside Hugging Face's Trainer: the same model, batches and rates give the same losses."""

from __future__ import annotations

import pytest
import torch
from tests.training.conftest import tiny_model
from transformers import Trainer, TrainingArguments

from aictl.core.events import silent
from aictl.training.loop import fit
from aictl.training.optimizer import learning_rate, optimizer_of
from aictl.training.spec import LoopSpec, OptimizerSpec

STEPS, PEAK = 100, 1e-2


@pytest.mark.slow
def test_the_losses_of_a_hundred_steps_are_the_same(job, tmp_path):
    spec = OptimizerSpec()
    made = job(max_steps=STEPS, peak_rate=PEAK, optimizer=spec, loop=LoopSpec(seed=5, evaluate_every=STEPS))
    batches = [made.batches[step] for step in range(STEPS)]
    ours = fit(made, silent).history.values("loss")

    rows = [
        torch.cat([inputs, targets[-1:]])
        for batch in batches
        for inputs, targets in zip(batch.inputs, batch.targets, strict=True)
    ]
    data = [{"input_ids": row, "labels": row} for row in rows]  # the model shifts them itself
    model = tiny_model()
    optimizer = optimizer_of(model, spec)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] = PEAK
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate(min(step, STEPS - 1), STEPS, PEAK, spec) / PEAK
    )

    class InOrder(Trainer):
        def _get_train_sampler(self, *_: object):
            return torch.utils.data.SequentialSampler(data)

    arguments = TrainingArguments(
        output_dir=str(tmp_path / "trainer"), max_steps=STEPS, per_device_train_batch_size=4, use_cpu=True,
        max_grad_norm=spec.max_gradient_norm, save_strategy="no", logging_steps=1, report_to=[], disable_tqdm=True,
        logging_nan_inf_filter=False,
    )  # fmt: skip
    trainer = InOrder(model=model, args=arguments, train_dataset=data, optimizers=(optimizer, schedule))
    trainer.train()
    theirs = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert len(ours) == len(theirs) == STEPS
    assert ours[-1] < ours[0] - 1
    assert max(abs(one - other) for one, other in zip(ours, theirs, strict=True)) < 1e-3
