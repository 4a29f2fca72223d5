"""Tasks of lm-evaluation-harness, which bring their own documents: its prompts and scores, our intervals."""

from __future__ import annotations

import logging
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from importlib import metadata
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from aictl.core.errors import BadInput, BadRequest, TryLater, WorkFailed
from aictl.core.events import Events
from aictl.evaluate.spec import EvaluateSpec
from aictl.inference.load import load
from aictl.judging.subject import CALLED, Subject
from aictl.judging.task import Row
from aictl.measure.resampling import Measure, mean

_USUAL_FILTER = "none"
# Metrics that are a mean over documents: of others, documents drawn again say nothing.
_MEANS = frozenset({"acc", "acc_norm", "acc_bytes", "em", "exact_match", "f1"})


class HarnessMeasures:
    """The measures of one task, called ``task.metric``."""

    incomparable: Mapping[str, str] = MappingProxyType({})

    def __init__(self, name: str, rows: Sequence[Row]) -> None:
        self._prefix = f"{name}."
        self.wanted: Sequence[str] = [self._prefix + metric for metric in rows[0]["metrics"]]

    def measures(self, rows: Sequence[Row]) -> dict[str, Measure]:
        names = rows[0]["metrics"]
        return {self._prefix + name: mean(np.array([row["metrics"][name] for row in rows], float)) for name in names}


def rows_of_tasks(one: Subject, spec: EvaluateSpec, folder: Path | None, events: Events) -> dict[str, list[Row]]:
    """What a language model came to on each document, by task.

    Raises :class:`BadRequest` for a model of another kind and for tasks that are not known, :class:`BadInput` for one
    that gives nothing to average, :class:`TryLater` where a task's documents cannot be fetched.
    """
    if one.ability != "language":
        raise BadRequest(f"--tasks asks language models, and '{one.label}' is {CALLED[one.ability]}")
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    from aictl.evaluate.harness_model import HarnessModel

    title = f"evaluate {one.label}"
    with _quiet():
        manager = TaskManager(include_path=str(folder) if folder else None)
    if unknown := [name for name in spec.tasks if name not in manager.all_tasks]:
        raise BadRequest(
            f"lm-evaluation-harness knows no task '{unknown[0]}'",
            cure="`lm-eval ls tasks` lists those it has; --tasks-folder names a folder with tasks of your own",
        )
    events.started(f"load {one.label}")
    with closing(load(one.artifact, threads=spec.threads, device=spec.device)) as generator:
        events.finished(f"load {one.label}")
        events.started(title, unit="requests")
        screen = sys.stderr  # as it is now: what the harness draws there is kept off it

        def told(done: int) -> None:
            with redirect_stderr(screen):
                events.advanced(title, done)

        model = HarnessModel(generator, told)
        try:
            with _quiet():
                found = simple_evaluate(
                    model=model,
                    tasks=list(spec.tasks),
                    limit=spec.most,
                    log_samples=True,
                    bootstrap_iters=0,
                    task_manager=manager,
                    random_seed=spec.seed % 2**32,
                    numpy_random_seed=spec.seed % 2**32,
                    torch_random_seed=spec.seed % 2**32,
                    fewshot_random_seed=spec.seed % 2**32,
                )
        except (ConnectionError, FileNotFoundError) as error:
            raise TryLater(
                f"the documents of {', '.join(spec.tasks)} cannot be had: {str(error).splitlines()[0]}",
                cure="they are fetched from a hub: is there a network, and is HF_HUB_OFFLINE unset?",
            ) from error
        events.finished(title)
    if not found or not found["samples"]:
        raise WorkFailed("lm-evaluation-harness gave no samples back")
    return {name: _rows(name, samples) for name, samples in found["samples"].items()}


def version() -> str:
    """Which harness asked."""
    return f"lm_eval {metadata.version('lm_eval')}"


def _rows(task: str, samples: Sequence[Mapping[str, Any]]) -> list[Row]:
    """One row a document, with the values of every metric that is a mean over documents."""
    by_document: dict[int, Row] = {}
    values: dict[int, dict[str, float]] = defaultdict(dict)
    for sample in samples:
        number = int(sample["doc_id"])
        by_document.setdefault(
            number, {"task": task, "number": number, "target": _plain(sample["target"]), "output": _said(sample)}
        )
        filtered = "" if sample["filter"] == _USUAL_FILTER else f".{sample['filter']}"
        for metric in sample["metrics"]:
            if metric in _MEANS and isinstance(sample.get(metric), int | float | np.number | bool):
                values[number][metric + filtered] = float(sample[metric])
    if not values:
        metrics = ", ".join(samples[0]["metrics"]) if samples else "nothing"
        raise BadInput(
            f"task '{task}' is scored by {metrics}, and means over documents are needed",
            cure=f"name a task that is scored by one of {', '.join(sorted(_MEANS))}",
        )
    return [{**by_document[number], "metrics": values[number]} for number in sorted(by_document)]


def _said(sample: Mapping[str, Any]) -> Any:
    return _plain(sample.get("filtered_resps"))


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value)


@contextmanager
def _quiet() -> Iterator[None]:
    """The harness and datasets tell on both streams what they do; what matters of it is told as events."""
    from datasets.utils import logging as datasets_logging

    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    bars = datasets_logging.is_progress_bar_enabled()
    datasets_logging.disable_progress_bar()
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            yield
    finally:
        logging.disable(level)
        if bars:
            datasets_logging.enable_progress_bar()
