"""What training would take. Of a language model its options tell; for another task it is prepared, in a folder that
does not stay, and tried."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.tokenizer import Tokenizer
from aictl.core.artifact import Source
from aictl.core.errors import BadInput
from aictl.core.events import silent
from aictl.tokenizing.folder import TokenizerFolder
from aictl.train import configuration, course
from aictl.train.course import Given
from aictl.train.courses import open_course
from aictl.train.options import refuse_unread
from aictl.train.pretrain import sequence_length
from aictl.train.spec import TrainSpec
from aictl.training import architectures, precision
from aictl.training.forecast import Forecast, Work, forecast
from aictl.training.precision import Compute
from aictl.training.presets import PRESETS
from aictl.training.tasks.names import task_of


class _Unlearnt(NamedTuple):
    """A tokenizer that is still to be learnt: how many tokens it will have."""

    vocabulary: int

    def id(self, role: str) -> int | None:
        return None


def foresee(
    dataset: Dataset,
    spec: TrainSpec,
    *,
    tokenizer: Tokenizer | Checkpoint | None = None,
    start: Checkpoint | None = None,
    config: Source | None = None,
    usable_bytes: float | None,
) -> Forecast | None:
    """The forecast of :func:`aictl.train.train.train` with the same arguments, and of its time; None for a language
    model of a shape that the planner does not know."""
    task, compute = task_of(dataset, spec.task), precision.choose(spec.precision)
    refuse_unread(task, spec, tokenizer, start, config)
    if task == "language-model":
        given: dict[str, Any] = {"tokenizer": tokenizer, "start": start, "config": config}
        return language_model(spec, compute, **given, usable_bytes=usable_bytes, timed=True)
    with TemporaryDirectory(prefix="aictl-dry-run-") as scratch:
        made = open_course(task, spec, Given(dataset, tokenizer, start, Path(scratch), silent))
        return course.foresee(made, spec, compute, usable_bytes, timed=True)


def language_model(
    spec: TrainSpec,
    compute: Compute,
    *,
    tokenizer: Tokenizer | Checkpoint | None,
    start: Checkpoint | None,
    config: Source | None,
    usable_bytes: float | None,
    timed: bool,
) -> Forecast | None:
    """The forecast of a language model: nothing is learnt or encoded for it. None for one of a shape that the planner
    does not know."""
    preset = PRESETS[spec.preset]
    values: dict[str, Any] = configuration.read(config) if config else {}
    length = sequence_length(spec, preset, start, configuration.context_of(values))
    vocabulary = spec.vocab_size or int(values.get("vocab_size") or preset.vocabulary)
    if tokenizer is not None:
        vocabulary = TokenizerFolder(tokenizer.folder).vocabulary
    if start is not None:
        shape = start.config
    elif config is not None:
        shape = {"vocab_size": vocabulary, "tie_word_embeddings": False, **values}
    else:
        made: Any = _Unlearnt(vocabulary)
        shape = architectures.config_of(spec.architecture or "llama", preset, made, length).to_dict()
    work = Work(
        config=shape,
        sequences=spec.batch_size or preset.batch_size,
        length=length,
        max_steps=(spec.max_steps or preset.max_steps) * spec.optimizer.accumulate,
        at_once=compute.tokens_at_once,
        recompute=compute.recompute,
        parallel=spec.parallel,
    )
    try:
        return forecast(work, compute, usable_bytes, timed=timed)
    except BadInput:  # a shape that the planner does not know; whether it can be built is found out in building it
        return None
