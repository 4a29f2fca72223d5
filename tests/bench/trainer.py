"""Hugging Face Trainer over our batches, with our optimiser and rates, so that nothing but the loop is another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainingArguments

from aictl.training.batches import Batches
from aictl.training.optimizer import learning_rate, optimizer_of
from aictl.training.spec import OptimizerSpec


def train(
    model: Any, batches: Batches, *, max_steps: int, peak_rate: float, spec: OptimizerSpec, bf16: bool, folder: Path
) -> list[float]:
    """Train ``model`` in place on the first ``max_steps`` batches, each of whole rows of tokens and all with as many
    rows, and return the loss of each step in nats. ``folder`` is the Trainer's own."""
    taken = [batches[step] for step in range(max_steps)]
    rows = [
        torch.cat([inputs, targets[-1:]])
        for batch in taken
        for inputs, targets in zip(batch.inputs, batch.targets, strict=True)
    ]
    data = [{"input_ids": row, "labels": row} for row in rows]  # the model shifts them itself
    optimizer = optimizer_of(model, spec)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] = peak_rate
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate(min(step, max_steps - 1), max_steps, peak_rate, spec) / peak_rate
    )

    class InOrder(Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: object) -> Any:
            return torch.utils.data.SequentialSampler(data)

    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=max_steps, per_device_train_batch_size=len(taken[0].inputs), use_cpu=True,
        bf16=bf16, max_grad_norm=spec.max_gradient_norm, save_strategy="no", logging_steps=1, report_to=[],
        disable_tqdm=True, logging_nan_inf_filter=False,
    )  # fmt: skip
    trainer = InOrder(model=model, args=arguments, train_dataset=data, optimizers=(optimizer, schedule))
    trainer.train()
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]
