"""A model that is made smaller, opened with the lesson of its own task."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from transformers import PreTrainedModel

from aictl.artifacts.capability import Capability, require_capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.optimize.teaching import TeachingSpec
from aictl.training import examples, saving, trial
from aictl.training.forecast import Forecast
from aictl.training.loop import Outcome
from aictl.training.objective import Constrain
from aictl.training.precision import Compute
from aictl.training.spec import LoopSpec, OptimizerSpec, ParallelSpec, PictureSpec, PrecisionSpec
from aictl.training.tasks import embedding, language
from aictl.training.tasks.classifiers import CLASSIFIERS, Teaching, open_classifier, require_classes
from aictl.training.tasks.encoders import ENCODERS, open_encoder, require_encoder
from aictl.training.tasks.labels import Labels
from aictl.training.tasks.language import Reading
from aictl.training.tasks.lesson import Lesson, Run, teach
from aictl.training.world import ALONE

LONGEST = 512  # tokens of an example unless told otherwise


class Shrinks(Protocol):
    """The settings of a verb that makes a model smaller."""

    @property
    def teaching(self) -> TeachingSpec: ...

    @property
    def pictures(self) -> PictureSpec: ...

    @property
    def optimizer(self) -> OptimizerSpec: ...

    @property
    def precision(self) -> PrecisionSpec: ...

    @property
    def loop(self) -> LoopSpec: ...


class Opened(NamedTuple):
    """A network in float32 and what it learns from."""

    model: PreTrainedModel
    lesson: Lesson


def dataset_behind(checkpoint: Checkpoint, dataset: Dataset | None) -> Dataset:
    """The dataset that was given, or the nearest that a checkpoint was made from. Raises :class:`BadRequest`."""
    found = dataset or checkpoint.nearest(Dataset)
    if found is None:
        raise BadRequest(
            f"'{checkpoint.label}' was not made from a dataset here, so there is nothing to measure it on",
            cure="name a dataset after it",
        )
    return found


def require_known(
    checkpoint: Checkpoint, dataset: Dataset, command: str, *, besides: tuple[Capability, ...] = ()
) -> None:
    """Raise :class:`WrongKind` for a model or a dataset for which ``command`` has no lesson, and :class:`BadRequest`
    for a dataset with other classes than the model's. ``besides`` are capabilities that ``command`` knows beside
    those of language models and classifiers."""
    known: tuple[Capability, ...] = ("text-generation", *CLASSIFIERS, *besides)
    require_capability(checkpoint.label, checkpoint.capability, *known, command=f"optimize {command}")
    if checkpoint.capability in ENCODERS:
        require_encoder(checkpoint, dataset)
        return
    if checkpoint.capability == "text-generation":
        dataset.require_format("text", "chat", cure="name a dataset of texts or of conversations")
        return
    require_classes(
        checkpoint,
        Labels(dataset).names,
        why="what was learnt can be kept only of the same classes, in the same order",
        cure="aictl finetune full, which makes a checkpoint with the dataset's classes",
    )


def open_lesson(
    checkpoint: Checkpoint, dataset: Dataset, spec: Shrinks, compute: Compute, *, scratch: Path, events: Events
) -> Opened:
    """The network of ``checkpoint`` and its lesson on ``dataset``, whose encoded examples are kept in ``scratch``.
    Raises :class:`BadRequest` for options that do not fit, :class:`BadInput` for what nothing can be learnt from."""
    longest = longest_of(spec.teaching, checkpoint)
    size, held_out, seed = spec.teaching.batch_size, spec.teaching.held_out_examples, spec.loop.seed
    if checkpoint.capability == "text-generation":
        return Opened(
            *language.open_language_model(
                checkpoint,
                dataset,
                Reading(size, held_out, longest, seed),
                compute,
                scratch=scratch,
                events=events,
            )
        )
    how = Teaching(size, held_out, longest, spec.pictures, seed)
    opener = open_encoder if checkpoint.capability in ENCODERS else open_classifier
    model, lesson = opener(checkpoint, dataset, how, scratch=scratch, events=events)
    return Opened(model.to(compute.device), lesson)


def longest_of(spec: TeachingSpec, checkpoint: Checkpoint) -> int:
    """Most tokens of an example. Raises :class:`BadRequest` for more than the model's context."""
    return examples.longest_of(spec.sequence_length, checkpoint, LONGEST)


def train(
    opened: Opened,
    spec: Shrinks,
    steps: int,
    compute: Compute,
    *,
    rate: float,
    usable_bytes: float | None = None,
    scratch: Path,
    events: Events,
    constrain: Constrain | None = None,
) -> Outcome:
    """Teach an opened model for so many steps, at a learning rate of at most ``rate``.

    ``scratch`` holds the state of the loop, and a run that finds it goes on from there. Raises :class:`WorkFailed` when
    training diverges, and :class:`MachineLacks` where ``usable_bytes`` of memory are forecast not to suffice, unless it
    is insisted on.
    """
    scratch.mkdir(exist_ok=True)
    if usable_bytes is not None and not spec.precision.ignore_memory:
        foreseen(opened, spec, steps, compute, usable_bytes=usable_bytes, timed=False).require_room()
    run = Run(steps, rate, spec.optimizer, spec.loop, compute, ALONE, scratch, constrain)
    return teach(opened.model, opened.lesson, run, events)


def foreseen(
    opened: Opened, spec: Shrinks, steps: int, compute: Compute, *, usable_bytes: float | None, timed: bool
) -> Forecast:
    """What teaching would take. Raises :class:`MachineLacks` where memory does not suffice for finding out."""
    batch = opened.lesson.batches[0]
    return trial.forecast(
        opened.model,
        batch,
        opened.lesson.objective,
        compute,
        rows=batch.rows * spec.optimizer.accumulate,
        max_steps=steps,
        parallel=ParallelSpec(),
        usable_bytes=usable_bytes,
        timed=timed,
    )


def write(model: PreTrainedModel, like: Checkpoint, folder: Path) -> Checkpoint:
    """Write a network in the number format of ``like``, with what lies beside that one's weights. Raises
    :class:`MachineLacks` for a full disk."""
    model.to("cpu")
    saving.save(model, folder, saving.dtype_of(like))
    saving.copy_beside(like, folder)
    if like.capability == "embedding":
        embedding.copy_layout(like, folder, model.config.hidden_size)
    return Checkpoint(folder)
