"""The training loop: steps, evaluations, saves, and where an interrupted run goes on."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from aictl.core.errors import Interrupted, WorkFailed
from aictl.core.events import Events
from aictl.training import state
from aictl.training.batches import Batch, Batches
from aictl.training.history import HISTORY_NAME, History
from aictl.training.objective import Objective, mean_loss, next_token_loss
from aictl.training.optimizer import adamw, learning_rate
from aictl.training.precision import Compute
from aictl.training.spec import LoopSpec, OptimizerSpec

SAVING_SHARE = 0.05  # of the time, at most, goes into saving
LAST_STEPS = 10  # the last train loss is a mean over this many steps: one batch says little


@dataclass(frozen=True)
class Outcome:
    """What a finished run came to. Losses are nats per target; ``seconds`` are spent in steps."""

    compute: Compute
    history: History
    steps: int
    tokens: int
    seconds: float

    @property
    def held_out_before(self) -> float:
        return self.history.values("held_out_loss")[0]

    @property
    def held_out_after(self) -> float:
        return self.history.values("held_out_loss")[-1]

    def metrics(self) -> dict[str, Any]:
        """The numbers for an artifact's record."""
        losses = self.history.values("loss")
        last = losses[-LAST_STEPS:]
        return {
            "perplexity": math.exp(min(self.held_out_after, 700)),
            "held_out": {"loss_before": self.held_out_before, "loss_after": self.held_out_after},
            "train": {"loss_first": losses[0], "loss_last": sum(last) / len(last)},
            "steps": self.steps,
            "tokens": self.tokens,
            "tokens_per_second": round(self.tokens / self.seconds, 1) if self.seconds else None,
            "precision": self.compute.precision,
            "device": self.compute.device.type,
        }


@dataclass(frozen=True)
class Job:
    """One run: what is trained, on what, how and for how long. ``scratch`` is the folder that an
    interrupted run is resumed from."""

    model: torch.nn.Module
    batches: Batches
    held_out: Sequence[Batch]
    max_steps: int
    peak_rate: float
    optimizer: OptimizerSpec
    loop: LoopSpec
    compute: Compute
    scratch: Path
    objective: Objective = next_token_loss


def fit(job: Job, events: Events) -> Outcome:
    """Train the job's model in place, from the start or from where ``scratch`` left off.

    The held-out loss is measured before the first step, every ``evaluate_every`` steps and after
    the last. A resumed run takes the same steps as one that was never interrupted. Raises
    :class:`WorkFailed` as soon as a loss or gradient is no finite number.
    """
    run = _Run(job)
    max_steps = job.max_steps
    path = job.scratch / state.STATE_NAME
    if path.exists():
        run.facts = state.restore(path, job.model, run.optimizer, run.scaler)
        events.noted(f"going on from step {run.step} of {max_steps}")
    else:
        torch.manual_seed(job.loop.seed)
    history = History(job.scratch / HISTORY_NAME, run.step)
    saver = _Saver(path, run, job.loop.save_every_s)
    events.started("train", max_steps, "steps")
    events.advanced("train", run.step)
    try:
        while True:
            due = run.step % job.loop.evaluate_every == 0 or run.step == max_steps
            if due and history.evaluated != run.step:
                held_out_loss = mean_loss(run.forward, job.held_out, job.compute, job.objective)
                history.add({"step": run.step, "held_out_loss": held_out_loss})
                events.measured("held_out_loss", held_out_loss, run.step)
            if run.step == max_steps:
                break
            history.add(run.advance())
            run.whole = True
            if run.step % max(1, max_steps // 20) == 0:
                events.measured("loss", history.rows[-1]["loss"], run.step)
            events.advanced("train", run.step)
            saver.save_if_due()
    except (Interrupted, KeyboardInterrupt):
        saver.save_if_whole()
        raise
    events.finished("train")
    return Outcome(job.compute, history, max_steps, int(run.facts["tokens"]), run.facts["seconds"])


class _Run:
    """What changes from step to step."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.model = job.model.train().to(job.compute.device)
        self.forward = torch.compile(self.model) if job.compute.compiled else self.model
        self.optimizer = adamw(self.model.parameters(), job.optimizer)
        self.scaler = job.compute.scaler()
        self.facts: dict[str, float] = {"step": 0, "tokens": 0, "seconds": 0.0}
        self.whole = True  # False from when a step begins to change weights until its row is written
        self.random = state.random_state()
        self._trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    @property
    def step(self) -> int:
        return int(self.facts["step"])

    def advance(self) -> dict[str, Any]:
        """Take one optimiser step and return its row of the history."""
        began = time.perf_counter()
        self.random = state.random_state()
        rate = learning_rate(self.step, self.job.max_steps, self.job.peak_rate, self.job.optimizer)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, tokens = self._accumulate_gradients()
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self._trained, self.job.optimizer.max_gradient_norm).item()
        self._refuse_divergence(loss, norm)
        self.whole = False
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.random = state.random_state()
        seconds = time.perf_counter() - began
        self.facts = {
            "step": self.step + 1,
            "tokens": self.facts["tokens"] + tokens,
            "seconds": self.facts["seconds"] + seconds,
        }
        return {
            "step": self.step,
            "loss": loss,
            "learning_rate": rate,
            "gradient_norm": norm if math.isfinite(norm) else None,
        }

    def _accumulate_gradients(self) -> tuple[float, int]:
        """Gradients of the mean loss over all targets of the step's batches: dividing by their
        common count, not batch by batch, makes accumulation equal to one large batch."""
        count = self.job.optimizer.accumulate
        batches = [self.job.batches[self.step * count + part] for part in range(count)]
        targets = sum(batch.counted for batch in batches)
        total, tokens = 0.0, 0
        self.optimizer.zero_grad(set_to_none=True)
        for part in (part for batch in batches for part in batch.parts(self.job.compute.tokens_at_once)):
            with self.job.compute.autocast():
                loss = self.job.objective(self.forward, part.to(self.job.compute.device)) / targets
            self.scaler.scale(loss).backward()
            total += loss.item()
            tokens += part.inputs.numel()
        return total, tokens

    def _refuse_divergence(self, loss: float, norm: float) -> None:
        # With fp16 an infinite gradient only means that the loss was scaled too high: the
        # scaler then skips the step and halves its scale.
        if not math.isfinite(loss) or not (math.isfinite(norm) or self.scaler.is_enabled()):
            raise WorkFailed(
                f"training diverged at step {self.step + 1}: loss {loss}, gradient norm {norm}",
                cure="lower --learning-rate, or raise --warmup-fraction; with fp16, try --precision bf16 or fp32",
            )


class _Saver:
    """Saves the state now and then: not more often than asked, nor so often that it costs."""

    def __init__(self, path: Path, run: _Run, every_s: float) -> None:
        self._path, self._run, self._every_s = path, run, every_s
        self._saved_at = time.monotonic()
        self._cost_s = 0.0

    def save_if_due(self) -> None:
        interval_s = max(self._every_s, self._cost_s / SAVING_SHARE) if self._every_s else 0
        if time.monotonic() - self._saved_at >= interval_s:
            self._save()

    def save_if_whole(self) -> None:
        """Keep the last whole step of a run that is being stopped."""
        if self._run.whole and self._run.step:
            self._save()

    def _save(self) -> None:
        began = time.monotonic()
        run = self._run
        state.save(self._path, run.model, run.optimizer, run.scaler, facts=run.facts, rng=run.random)
        self._saved_at = time.monotonic()
        self._cost_s = self._saved_at - began
