"""Training: the task is chosen, its model and its lesson are made ready, and the loop does the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.tokenizer import Tokenizer
from aictl.core.artifact import Source
from aictl.core.events import Events
from aictl.train import course, pretrain
from aictl.train.course import Given
from aictl.train.courses import open_course
from aictl.train.foresight import language_model
from aictl.train.options import refuse_unread
from aictl.train.spec import TrainSpec
from aictl.train.tokenizers import refuse_foreign
from aictl.training import precision
from aictl.training.ranks.joining import join
from aictl.training.tasks.names import task_of


def train(
    dataset: Dataset,
    spec: TrainSpec,
    folder: Path,
    *,
    tokenizer: Tokenizer | Checkpoint | None = None,
    start: Checkpoint | None = None,
    config: Source | None = None,
    usable_bytes: float | None = None,
    scratch: Path,
    events: Events,
) -> Checkpoint:
    """Train a model on ``dataset`` for the task of ``spec``, or the one that the dataset is made for, and write it
    into ``folder`` with everything that it needs to run.

    ``tokenizer`` is one to read texts by; ``start`` is a checkpoint whose weights are where training begins;
    ``config`` the file with the shape of a fresh language model. A model for which ``usable_bytes`` of memory do not
    suffice is :class:`MachineLacks`.
    ``scratch`` holds what is prepared and the state of the loop; a run that finds them goes on from there. Raises the
    family of :mod:`aictl.core.errors`: what each task raises is said there.
    """
    task = task_of(dataset, spec.task)
    refuse_unread(task, spec, tokenizer, start, config)
    refuse_foreign(tokenizer, start)
    given: dict[str, Any] = {"tokenizer": tokenizer, "start": start, "config": config}
    compute = precision.choose(spec.precision)
    careful = not spec.precision.ignore_memory
    if task == "language-model":
        foreseen = language_model(spec, compute, **given, usable_bytes=usable_bytes, timed=False)
        if foreseen and careful:
            foreseen.require_room()
        world = join(spec.parallel, compute, events)
        return pretrain.train(
            dataset,
            spec,
            folder,
            **given,
            compute=compute,
            world=world,
            scratch=scratch,
            events=events,
        )
    world = join(spec.parallel, compute, events)
    with world.in_turn():
        made = open_course(task, spec, Given(dataset, tokenizer, start, scratch, events))
    if careful:
        course.foresee(made, spec, compute, usable_bytes, timed=False).require_room()
    return course.take(made, spec, folder, compute=compute, world=world, scratch=scratch, events=events)
