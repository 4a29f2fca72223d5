"""Models take turns, each in a process of its own, and what the turns came to is a comparison.

    models, inputs ─▶ a worker each ─▶ rounds in turn, one warms up ─▶ percentiles, intervals, ratios ─▶ comparison

The order within a round is the same in all: what the machine does meanwhile hits neighbours alike.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from aictl.artifacts.comparison import Comparison
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.onnx import OnnxModel
from aictl.core import errors
from aictl.core.errors import AictlError, BadRequest, WorkFailed
from aictl.core.events import Events
from aictl.judging.subject import CALLED, Subject, subject, whole_folder
from aictl.measure.speed import CONFIDENCE, RESAMPLES, speed_up
from aictl.optimize.bench.page import write_page
from aictl.optimize.bench.worker import Job
from aictl.optimize.contestants import read_of
from aictl.optimize.gate import size_bytes
from aictl.optimize.quality import Model, heldout
from aictl.optimize.spec import BenchSpec

_INPUTS = 16  # documents that are run


def bench(
    models: Sequence[Model], dataset: Dataset | None, spec: BenchSpec, folder: Path, *, scratch: Path, events: Events
) -> Comparison:
    """Write a comparison of the models into ``folder``.

    Raises :class:`BadRequest` for models that do different things or without inputs to run them on, and what loading
    one of them raises.
    """
    subjects = [subject(model) for model in models]
    if len({one.ability for one in subjects}) > 1:
        what = " and ".join(f"'{one.label}' is {CALLED[one.ability]}" for one in subjects)
        raise BadRequest(f"{what}: they cannot be compared", cure="compare models that do the same")
    if len({one.label for one in subjects}) < len(subjects):
        raise BadRequest("a model was given twice", cure="give each once")
    known = dataset or next((near for model in models if (near := model.nearest(Dataset))), None)
    data = heldout(models[0], known, scratch, events)
    inputs = _inputs(subjects[0], data, spec.split, scratch)
    rounds: dict[str, list[dict[str, Any]]] = {one.label: [] for one in subjects}
    with ExitStack() as stack:
        workers = {}
        for number, one in enumerate(subjects):
            events.started(f"load {one.label}")
            job = _job(one, inputs, spec, scratch)
            log = scratch / f"worker-{number}.log"
            workers[one.label] = stack.enter_context(_Worker(one.label, job, log))
            events.finished(f"load {one.label}")
        task = "measure"
        events.started(task, total=(spec.rounds + 1) * len(workers), unit="turns")
        for count in range(spec.rounds + 1):
            for number, (label, worker) in enumerate(workers.items(), 1):
                found = worker.round()
                if count:
                    rounds[label].append(found)
                events.advanced(task, count * len(workers) + number)
        events.finished(task)
    first = rounds[subjects[0].label]
    facts: dict[str, Any] = {
        "task": CALLED[subjects[0].ability].split(" ", 1)[1],
        "dataset": data.label,
        "device": spec.device,
        "threads": spec.threads,
        "rounds": spec.rounds,
        "prompt_tokens": spec.prompt_tokens,
        "new_tokens": spec.new_tokens,
        "models": [
            {
                "label": one.label,
                "kind": one.kind,
                "id": one.id,
                "size_bytes": size_bytes(model),
                "load_s": workers[one.label].load_s,
                **_summed_up(rounds[one.label], first, spec),
            }
            for model, one in zip(models, subjects, strict=True)
        ],
    }
    Comparison.write(folder, facts)
    write_page(folder, facts)
    made = Comparison(folder)
    metrics = {one["label"]: {name: one[name] for name in ("latency", "cpu_s", "speedup")} for one in facts["models"]}
    return Comparison(folder, metrics=metrics, summary=made.in_a_line())


def _summed_up(
    rounds: Sequence[Mapping[str, Any]], first: Sequence[Mapping[str, Any]], spec: BenchSpec
) -> dict[str, Any]:
    """What the rounds of a model come to, beside those of the first."""
    phases = list(rounds[0]["latency"])
    # A GPU's work costs the processor little: there it is the clock that is compared.
    which = (lambda one: one["cpu_s"]) if spec.device == "cpu" else (lambda one: np.median(one["latency"][phases[-1]]))
    gained = speed_up([which(one) for one in first], [which(one) for one in rounds])
    energies = [one["energy_j"] for one in rounds]
    units = [len(one["latency"][phases[-1]]) for one in rounds]
    return {
        "memory_bytes": rounds[-1]["memory_bytes"],
        "latency": {phase: _percentiles([one["latency"][phase] for one in rounds]) for phase in phases},
        "throughput": [
            {"at_once": count, "per_s": float(np.median([one["per_s"][at] for one in rounds]))}
            for at, count in enumerate(spec.at_once)
        ],
        "cpu_s": float(np.median([one["cpu_s"] for one in rounds])),
        "energy_j": None if None in energies else float(np.median(np.divide(energies, units))),
        "speedup": {"ratio": gained.ratio, "low": gained.low, "high": gained.high},
    }


def _percentiles(rounds: Sequence[Sequence[float]]) -> dict[str, float]:
    """Of all rounds together, with the interval of the median: what varies is the round."""
    medians = np.array([np.median(one) for one in rounds])
    picks = np.random.default_rng(0).integers(len(medians), size=(RESAMPLES, len(medians)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.median(medians[picks], axis=1), [tail, 1 - tail])
    p50, p90, p99 = np.quantile(np.concatenate([np.asarray(one) for one in rounds]), [0.5, 0.9, 0.99])
    found = {"p50": p50, "p90": p90, "p99": p99, "low": low, "high": high}
    return {name: float(value) for name, value in found.items()}


def _inputs(one: Subject, dataset: Dataset, split: str, scratch: Path) -> list[Any]:
    """Texts of the first documents, pairs of them, or files of pictures, of a dual encoder with captions."""
    if split not in dataset.splits:
        raise BadRequest(
            f"dataset '{dataset.label}' has no split '{split}'", cure=f"its splits are {', '.join(dataset.splits)}"
        )
    found: list[Any]
    if one.ability in ("reranking", "rewriting"):
        dataset.require_format("pair", cure="name one of pairs")
        found = [(some["input"], some["output"]) for some in islice(dataset.documents(split), _INPUTS)]
    elif one.ability in ("image classes", "boxes"):
        found = _files(dataset.pictures(split), scratch)
    elif one.ability == "matching":
        captioned = list(islice((one for one in dataset.pictures(split) if one[0].get("caption")), _INPUTS))
        found = list(zip([some["caption"] for some, _ in captioned], _files(captioned, scratch), strict=True))
    else:
        found = [read_of(document) for document in islice(dataset.documents(split), _INPUTS)]
    if not found:
        raise BadRequest(f"split '{split}' of dataset '{dataset.label}' is empty", cure="name another split")
    return found


def _files(pictures: Iterable[tuple[Mapping[str, Any], bytes]], scratch: Path) -> list[str]:
    """Files of the first pictures."""
    found = []
    for number, (_, image) in enumerate(islice(pictures, _INPUTS)):
        path = scratch / f"picture-{number}"
        path.write_bytes(image)
        found.append(str(path))
    return found


def _job(one: Subject, inputs: list[Any], spec: BenchSpec, scratch: Path) -> Job:
    return Job(
        ability=one.ability,
        folder=str(whole_folder(one, scratch)),
        is_graph=isinstance(one.artifact, OnnxModel),
        threads=spec.threads,
        device=spec.device,
        inputs=inputs,
        prompt_tokens=spec.prompt_tokens,
        new_tokens=spec.new_tokens,
        at_once=spec.at_once,
    )


class _Worker:
    """The process of one model."""

    def __init__(self, label: str, job: Job, log: Path) -> None:
        """Raises what loading the model raised in there, and :class:`WorkFailed` if it ended otherwise."""
        self._label, self._log = label, log
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "aictl.optimize.bench.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )
        try:
            self._say(json.dumps(job._asdict()))
            self.load_s = float(self._answer()["load_s"])
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> _Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def round(self) -> dict[str, Any]:
        self._say("round")
        return self._answer()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # why it ended is found out when it does not answer
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            told = self._log.read_text("utf-8", "replace").strip().splitlines()
            raise WorkFailed(
                f"the process of '{self._label}' ended with {status}: {told[-1] if told else 'it said nothing'}",
                cure="where memory ran out, compare fewer models at a time" if status < 0 else None,
            )
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            kind: type[AictlError] = getattr(errors, found["error"], WorkFailed)
            raise kind(f"'{self._label}': {found['message']}", cure=found["cure"])
        return found

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()
