"""Course: a model with its lesson; taking it makes a checkpoint. Every task but pretraining goes this way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.tokenizer import Tokenizer
from aictl.core.errors import WorkFailed
from aictl.core.events import Events
from aictl.inference.quiet import quiet
from aictl.train.recipes import Recipe
from aictl.train.spec import TrainSpec
from aictl.training import trial
from aictl.training.forecast import Forecast
from aictl.training.loop import Outcome
from aictl.training.precision import Compute
from aictl.training.state import disk
from aictl.training.tasks.lesson import Lesson, Run, teach
from aictl.training.world import World

# Of the learning rate of fresh weights, for those that have learnt, which a large one would undo: 5e-5 for an encoder
# of texts, as its authors advise (https://arxiv.org/abs/1810.04805, appendix A.3).
CONTINUED_SHARE = 0.05
# A measure of the loop that is about tokens says nothing where a document is the unit.
_OF_TOKENS = ("tokens", "tokens_per_second")


@dataclass(frozen=True)
class Course:
    """``model`` is what is trained, on ``lesson``; ``save`` writes it and what it needs to run into a folder. One that
    ``goes_on`` had learnt something before, so that it may well not learn more."""

    model: torch.nn.Module
    lesson: Lesson
    recipe: Recipe
    save: Callable[[Path], None]
    goes_on: bool = False

    def steps(self, spec: TrainSpec) -> int:
        """Optimiser steps: as many as were asked for, or that make the epochs."""
        if spec.max_steps:
            return spec.max_steps
        batch = min(self.batch_size(spec), self.lesson.examples) * spec.optimizer.accumulate
        steps = math.ceil((spec.epochs or self.recipe.epochs) * self.lesson.examples / batch)
        return steps if spec.epochs else max(steps, self.recipe.fewest_steps)

    @property
    def peak_rate(self) -> float:
        """The peak learning rate that suits."""
        return self.recipe.learning_rate * (CONTINUED_SHARE if self.goes_on else 1)

    def batch_size(self, spec: TrainSpec) -> int:
        return spec.batch_size or self.recipe.batch_size


class Given(NamedTuple):
    """What a course is made from beside its options."""

    dataset: Dataset
    tokenizer: Tokenizer | Checkpoint | None
    start: Checkpoint | None
    scratch: Path
    events: Events


def take(
    course: Course, spec: TrainSpec, folder: Path, *, compute: Compute, world: World, scratch: Path, events: Events
) -> Checkpoint:
    """Train a course's model and write it into ``folder``. Raises :class:`WorkFailed` when training diverges or
    teaches the model nothing."""
    lesson = course.lesson
    rate = spec.optimizer.learning_rate or course.recipe.learning_rate
    run = Run(course.steps(spec), rate, spec.optimizer, spec.loop, compute, world, scratch)
    outcome = teach(course.model, lesson, run, events)
    refuse_useless(outcome, course.goes_on, events)
    events.started("examine")
    examined = dict(lesson.examine(course.model, compute))
    events.finished("examine")
    with disk(folder), quiet():
        course.save(folder)
    outcome.leave(folder, events)
    metrics = _metrics(outcome, course, examined)
    size = f"{metrics['parameters'] / 1e6:.1f}M parameters"
    best = examined[lesson.primary]
    return Checkpoint(
        folder, metrics=metrics, summary=f"{size}, held-out {lesson.primary.replace('_', ' ')} {best:.3f}"
    )


def foresee(course: Course, spec: TrainSpec, compute: Compute, usable_bytes: float | None, *, timed: bool) -> Forecast:
    """What :func:`take` will take, by trying a part of the first batch. Raises :class:`MachineLacks` where memory does
    not suffice for that."""
    lesson, batch = course.lesson, course.lesson.batches[0]
    return trial.forecast(
        course.model,
        batch,
        lesson.objective,
        compute,
        rows=len(batch.counts) * spec.optimizer.accumulate,
        max_steps=course.steps(spec),
        parallel=spec.parallel,
        usable_bytes=usable_bytes,
        timed=timed,
    )


def refuse_useless(outcome: Outcome, goes_on: bool, events: Events) -> None:
    """Raise :class:`WorkFailed` for a fresh model that has learnt nothing, and tell it of one that ``goes_on``."""
    before, after = outcome.held_out_before, outcome.held_out_after
    if after < before:
        return
    losses = f"held-out loss {before:.3f} before and {after:.3f} after {outcome.steps} steps"
    if not goes_on:
        raise WorkFailed(f"the model learnt nothing: {losses}", cure="lower --learning-rate or raise --max-steps")
    events.noted(f"the model is no better than where it began: {losses}", "warning")


def _metrics(outcome: Outcome, course: Course, examined: Mapping[str, Any]) -> dict[str, Any]:
    metrics = {name: value for name, value in outcome.metrics().items() if name not in _OF_TOKENS}
    metrics["held_out"] |= examined
    seen = outcome.steps * len(course.lesson.batches[0].counts)
    return metrics | {
        "parameters": sum(parameter.numel() for parameter in course.model.parameters()),
        "documents": course.lesson.examples,
        "documents_per_second": round(seen / outcome.seconds, 1) if outcome.seconds else None,
        **course.lesson.facts,
    }
