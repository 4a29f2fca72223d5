"""The training loop: steps, evaluations, checkpoints, and where an interrupted run goes on."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from aictl.core.errors import Interrupted, WorkFailed
from aictl.core.events import Events
from aictl.training import float8, restoring, state
from aictl.training.batches import Batch, Batches, TokenBatch
from aictl.training.checkpoints import FOLDER_NAME, Checkpoints
from aictl.training.curves import draw
from aictl.training.divergence import Spikes
from aictl.training.history import HISTORY_NAME, History
from aictl.training.memory import peak_bytes, recompute, shortage
from aictl.training.objective import Constrain, Judge, Objective, judged_by, means, next_token_loss
from aictl.training.optimizer import clip, learning_rate, optimizer_of
from aictl.training.passes import in_step
from aictl.training.precision import Compute
from aictl.training.short_rows import short_attention
from aictl.training.spec import LoopSpec, OptimizerSpec
from aictl.training.tracking import tracked
from aictl.training.utilisation import flops_per_position, peak_flops
from aictl.training.world import ALONE, World

SAVING_SHARE = 0.05  # of the time, at most, goes into saving by the clock
LAST_STEPS = 10  # the last train loss is a mean over this many steps: one batch says little
TOLD_S = 2.0  # between tellings of the memory and the share of the peak, which take a moment to find out


@dataclass(frozen=True)
class Outcome:
    """What a finished run came to. Losses are nats per target; ``seconds`` are spent in steps, and ``saving_s`` beside
    them: as long the loop stood still for its checkpoints."""

    compute: Compute
    history: History
    steps: int
    tokens: int
    seconds: float
    kept_step: int
    mfu: float | None = None
    saving_s: float = 0.0

    def leave(self, folder: Path, events: Events) -> None:
        """Put the run's history and its curves into ``folder``, beside what was trained."""
        self.history.copy_to(folder)
        draw(self.history.rows, folder, events)

    @property
    def held_out_before(self) -> float:
        return self.history.values("held_out_loss")[0]

    @property
    def held_out_after(self) -> float:
        """That of the weights that were kept."""
        return next(row["held_out_loss"] for row in self.history.evaluations() if row["step"] == self.kept_step)

    @property
    def perplexity(self) -> float:
        """Of token losses: the exponential of the held-out one."""
        return math.exp(min(self.held_out_after, 700))

    def metrics(self) -> dict[str, Any]:
        """The numbers for an artifact's record."""
        losses = self.history.values("loss")
        last = losses[-LAST_STEPS:]
        held_out = {"loss_before": self.held_out_before, "loss_after": self.held_out_after}
        kept = next(row for row in self.history.evaluations() if row["step"] == self.kept_step)
        for name in kept.keys() - {"step", "held_out_loss"}:
            held_out[name.removeprefix("held_out_")] = kept[name]
        metrics: dict[str, Any] = {
            "held_out": held_out,
            "train": {"loss_first": losses[0], "loss_last": sum(last) / len(last)},
            "steps": self.steps,
            "tokens": self.tokens,
            "tokens_per_second": round(self.tokens / self.seconds, 1) if self.seconds else None,
            "mfu": None if self.mfu is None else round(self.mfu, 4),
            "saving_s": round(self.saving_s, 3),
            "peak_memory_bytes": peak_bytes(self.compute),
            "precision": self.compute.precision,
            "device": self.compute.device.type,
        }
        if self.kept_step != self.steps:
            metrics["kept_step"] = self.kept_step
        return metrics


@dataclass(frozen=True)
class Job:
    """One run: what is trained, on what, how and for how long. ``scratch`` is the folder that an
    interrupted run is resumed from. ``judge`` is what held-out batches are judged by beside the loss, which it
    gives as well; by default the objective is all. ``constrain`` puts right after every step what has to stay true of
    the weights, such as which of them are zero."""

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
    judge: Judge | None = None
    world: World = ALONE
    constrain: Constrain | None = None


def fit(job: Job, events: Events) -> Outcome:
    """Train the job's model in place, from the start or from where ``scratch`` left off.

    The held-out loss is measured before the first step, every ``evaluate_every`` steps and after
    the last. A resumed run takes the same steps as one that was never interrupted. Raises
    :class:`WorkFailed` as soon as a loss or gradient is no finite number or the loss stays far above what it was,
    :class:`MachineLacks` where memory or the disk does not suffice, :class:`TryLater` where another process is lost.
    Of several processes the first returns, with the whole model; the others end with ``Followed``.
    """
    if job.loop.deterministic:
        torch.use_deterministic_algorithms(True)
    told = job.loop.track if job.world.is_first else []
    with (
        tracked(told, _options(job), job.scratch, events) as seen,
        job.world.stopping_together(),
        shortage(job.compute),
        job.world.failing(),
        _attention(job),
    ):
        return _fit(job, seen)


def _options(job: Job) -> dict[str, str | int | float | bool]:
    """What a tracker is told of a run."""
    given = {**job.optimizer.model_dump(), "learning_rate": job.peak_rate, "seed": job.loop.seed}
    return {
        **{name: value for name, value in given.items() if value is not None},
        "max_steps": job.max_steps,
        "precision": job.compute.precision,
        "device": job.compute.device.type,
        "processes": job.world.ranks,
        "parameters": sum(parameter.numel() for parameter in job.model.parameters()),
        "trained_parameters": sum(one.numel() for one in job.model.parameters() if one.requires_grad),
    }


def _attention(job: Job) -> AbstractContextManager[None]:
    """In float32, uncompiled, attention by blocks is no faster than the kernel that the model comes with."""
    held_out = [batch for batch in job.held_out if isinstance(batch, TokenBatch)]
    whole = held_out and all(batch.starts is None for batch in held_out)
    if not whole or not (job.compute.compiled or job.compute.precision == "bf16"):
        return nullcontext()
    return short_attention(job.model, max(batch.width for batch in held_out))


def _fit(job: Job, events: Events) -> Outcome:
    run = _Run(job)
    max_steps = job.max_steps
    world = job.world
    checkpoints = world.checkpoints(job.scratch / FOLDER_NAME, job.loop.keep_checkpoints)
    if path := checkpoints.newest(events):
        run.facts |= restoring.restore(path, job.model, run.optimizer, run.scaler, world.rank)
        events.noted(f"going on from step {run.step} of {max_steps}")
    else:
        torch.manual_seed(job.loop.seed + world.rank)
    history = History(job.scratch / HISTORY_NAME, run.step, world.told, writes=world.is_first)
    spikes = Spikes(job.loop.spike_patience, history.values("loss"))
    saver = _Saver(checkpoints, run, job.loop)
    events.started("train", max_steps, "steps")
    events.advanced("train", run.step)
    try:
        while True:
            due = run.step % job.loop.evaluate_every == 0 or run.step == max_steps
            if due and history.evaluated != run.step:
                history.add({"step": run.step, **run.evaluate()})
                run.tell(history.rows[-1], events)
                if job.loop.keep == "best" and run.step and history.lowest_is_last:
                    saver.save(best=True)
            if run.step == max_steps:
                break
            row, agreed = run.advance(saver.is_due(run.step + 1))
            history.add(row)
            run.whole = True
            spikes.add(history.rows[-1]["loss"], lambda: run.named(run.step - 1))
            run.tell({**run.speed(), **history.rows[-1]}, events)
            events.advanced("train", run.step)
            if agreed.stop:
                raise Interrupted(agreed.stop)
            if agreed.save:
                saver.save()
    except (Interrupted, KeyboardInterrupt):
        saver.save_if_whole()
        raise
    finally:
        saver.finish()
    kept = max_steps
    if job.loop.keep == "best" and (best := checkpoints.best(events)):
        kept = restoring.restore_weights(best, job.model)
    world.gather(job.model)
    events.finished("train")
    world.leave()
    tokens, seconds = int(run.facts["tokens"]), run.facts["seconds"]
    return Outcome(job.compute, history, max_steps, tokens, seconds, kept, run.mfu(), run.facts["saving_s"])


class _Agreed(NamedTuple):
    """What all processes do after a step: stop because of a signal, save a checkpoint."""

    stop: int
    save: bool


class _Run:
    """What changes from step to step."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.model = job.model.train().to(job.compute.device)
        if job.compute.precision == "fp8":
            float8.convert(self.model)
        if job.compute.recompute:
            recompute(self.model)
        self.trained = job.world.prepare(self.model)
        self.forward = torch.compile(self.trained) if job.compute.compiled else self.trained
        self.batches = job.batches.shared(job.world.rank, job.world.ranks) if job.world.ranks > 1 else job.batches
        self.optimizer = optimizer_of(self.model, job.optimizer)
        self.scaler = job.compute.scaler()
        self.facts: dict[str, float] = {"step": 0, "tokens": 0, "seconds": 0.0, "saving_s": 0.0}
        self.whole = True  # False from when a step begins to change weights until its row is written
        self.random = state.random_state()
        self._flops = self._peak = self._told = 0.0
        self._parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    @property
    def step(self) -> int:
        return int(self.facts["step"])

    def evaluate(self) -> dict[str, float]:
        """The held-out means, their names as in the history."""
        judge = self.job.judge or judged_by(self.job.objective)
        found = means(self.forward, self.job.held_out, self.job.compute, judge, self.job.world)
        self.job.world.settle(self.model)
        return {f"held_out_{name}": value for name, value in found.items()}

    def advance(self, save: bool = False) -> tuple[dict[str, Any], _Agreed]:
        """Take one optimiser step; returns its row of the history, and what all processes do after it if this one
        would ``save``."""
        began = time.perf_counter()
        self.random = state.random_state()
        rate = learning_rate(self.step, self.job.max_steps, self.job.peak_rate, self.job.optimizer)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, tokens, agreed = self._accumulate_gradients(save)
        self.scaler.unscale_(self.optimizer)
        norm = clip(self._parameters, self.job.optimizer.max_gradient_norm)
        self._refuse_divergence(loss, norm)
        self.whole = False
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.job.constrain:
            self.job.constrain(self.model)
        self.optimizer.zero_grad(set_to_none=True)
        self.random = state.random_state()
        seconds = time.perf_counter() - began
        self.facts = {
            **self.facts,
            "step": self.step + 1,
            "tokens": self.facts["tokens"] + tokens,
            "seconds": self.facts["seconds"] + seconds,
        }
        row = {
            "step": self.step,
            "loss": loss,
            "learning_rate": rate,
            "gradient_norm": norm if math.isfinite(norm) else None,
        }
        return row, agreed

    def tell(self, row: Mapping[str, Any], events: Events) -> None:
        """Tell whoever watches what a row of the history has."""
        for name, value in row.items():
            if name != "step" and value is not None:
                events.measured(name, value, self.step)

    def speed(self) -> dict[str, float | None]:
        """How fast the run is; now and then, and at its end, its memory and its share of what the hardware can do."""
        found: dict[str, float | None] = {"tokens_per_second": self.facts["tokens"] / self.facts["seconds"]}
        now = time.monotonic()
        self._told = self._told or now  # the clock begins with the first step, which so is done sooner
        if now - self._told > TOLD_S or self.step == self.job.max_steps:
            found |= {"mfu": self.mfu(), "memory_bytes": peak_bytes(self.job.compute)}
            self._told = now
        return found

    def mfu(self) -> float | None:
        """The share of the hardware's peak that this run has come to, if it is the only process."""
        if self.job.world.ranks > 1 or not self.job.held_out or not self.facts["seconds"]:
            return None  # a model in shards has no row to try
        if not self._peak:  # not before there are steps to tell of, so that they begin sooner
            self._flops = flops_per_position(self.model, self.job.objective, self.job.held_out[0], self.job.compute)
            self._peak = peak_flops(self.job.compute)
        rate = self.facts["tokens"] / self.facts["seconds"]
        return rate * self._flops / self._peak

    def named(self, step: int) -> str:
        """The batches of a step, for a person."""
        count = self.job.optimizer.accumulate
        return "; ".join(self.job.batches.named(step * count + part) for part in range(count))

    def _accumulate_gradients(self, save: bool) -> tuple[float, int, _Agreed]:
        """Gradients of the mean loss over all targets of the step's batches: dividing by their
        common count, not batch by batch, makes accumulation equal to one large batch. So it is with
        the shares of several processes, whose gradients are averaged."""
        count, world = self.job.optimizer.accumulate, self.job.world
        batches = [self.batches[self.step * count + part] for part in range(count)]
        parts = [part for batch in batches for part in batch.parts(self.job.compute.tokens_at_once)]
        parts = [part for part in parts if part.counted]
        counted, positions = sum(part.counted for part in parts), sum(part.positions for part in parts)
        targets, tokens = world.sums([counted, positions])
        total = 0.0
        self.optimizer.zero_grad(set_to_none=True)
        passes = in_step(parts, self._spare, world)
        for number, (part, weight) in enumerate(passes, 1):
            with world.exchanging(self.trained, now=number == len(passes)):
                with self.job.compute.autocast():
                    loss = self.job.objective(self.forward, part.to(self.job.compute.device)) / targets * weight
                self.scaler.scale(loss * world.ranks).backward()
            total += loss.item()
        total, terminated, interrupted, saving = world.sums([total, *world.stop_signals, save and world.is_first])
        stop = signal.SIGTERM if terminated else signal.SIGINT if interrupted else 0
        return total, int(tokens), _Agreed(stop, bool(saving))

    def _spare(self) -> Batch:
        """A part of the step's first batch, whosever it is."""
        batch = self.job.batches[self.step * self.job.optimizer.accumulate]
        return batch.parts(self.job.compute.tokens_at_once)[0]

    def _refuse_divergence(self, loss: float, norm: float) -> None:
        # With fp16 an infinite gradient only means that the loss was scaled too high: the
        # scaler then skips the step and halves its scale.
        if not math.isfinite(loss) or not (math.isfinite(norm) or self.scaler.is_enabled()):
            raise WorkFailed(
                f"training diverged at step {self.step + 1}: loss {loss}, gradient norm {norm}, in a batch of "
                f"{self.named(self.step)}",
                cure="lower --learning-rate, or raise --warmup-fraction; with fp16, try --precision bf16 or fp32",
            )


class _Saver:
    """Saves checkpoints: every so many steps, or now and then, and then not so often that it costs."""

    def __init__(self, checkpoints: Checkpoints, run: _Run, loop: LoopSpec) -> None:
        self._checkpoints, self._run, self._loop = checkpoints, run, loop
        self._saved_at = time.monotonic()
        self._cost_s = 0.0

    def is_due(self, step: int) -> bool:
        """Whether to save after a step."""
        if self._loop.checkpoint_every:
            return step % self._loop.checkpoint_every == 0
        every_s = self._loop.save_every_s
        interval_s = max(every_s, self._cost_s / SAVING_SHARE) if every_s else 0
        return time.monotonic() - self._saved_at >= interval_s and not (every_s and self._checkpoints.busy)

    def save_if_whole(self) -> None:
        """Keep the last whole step of a run that is being stopped."""
        if self._run.whole and self._run.step:
            self.save()

    def save(self, *, best: bool = False) -> None:
        began = time.monotonic()
        run = self._run
        saved = run.job.world.capture(run.model, run.optimizer, run.scaler, facts=run.facts, rng=run.random)
        self._checkpoints.save(saved, best=best)
        if not self._loop.save_every_s and not self._loop.checkpoint_every:
            self._checkpoints.finish()  # asked for after every step, a step is safe before the next begins
        self._saved_at = time.monotonic()
        self._cost_s = self._saved_at - began
        run.facts["saving_s"] += self._cost_s

    def finish(self) -> None:
        """Wait until what is being written is."""
        began = time.monotonic()
        self._checkpoints.finish()
        self._run.facts["saving_s"] += time.monotonic() - began
