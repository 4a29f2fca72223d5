"""One model in a process of its own, which runs a round whenever it is told to.

    python -m aictl.optimize.bench.worker

Alone in its process, a model's memory and CPU time are its own. The first line on stdin is the job, as JSON, and each
one after it asks for a round; a line of JSON on stdout answers. When stdin ends, so does the process, so that none
outlives a benchmark that was killed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import AictlError
from aictl.inference.load import load
from aictl.inference.rewriting import Rewriter
from aictl.judging.subject import Ability
from aictl.measure import energy, process_memory
from aictl.optimize.contestants import network, rewritten

_LEAST_S = 0.3  # that a network's passes are timed for in a round


class Job(NamedTuple):
    """What a worker is started with. ``folder`` loads as the model; ``inputs`` are texts, pairs, or files of pictures.
    ``at_once`` is how many inputs a network, or sequences a language model, is asked for together."""

    ability: Ability
    folder: str
    is_graph: bool
    threads: int | None
    device: str
    inputs: list[Any]
    prompt_tokens: int
    new_tokens: int
    at_once: list[int]


class _Bench(Protocol):
    def round(self) -> dict[str, Any]:
        """``latency``: seconds of each event by phase; ``cpu_s`` of a token or input; ``per_s``, tokens or inputs a
        second, for each of ``at_once``."""
        ...


class _Writing:
    """Tokens are written one by one as if the model had chosen them, so that all models do the same work."""

    def __init__(self, replays: Sequence[Callable[[], Iterator[Any]]], at_once: Sequence[int]) -> None:
        """``replays`` as :func:`aictl.measure.speed.writing` takes them."""
        self._replays, self._at_once = replays, at_once

    def round(self) -> dict[str, Any]:
        first, between, cpu_s = [], [], 0.0
        for replay in self._replays:
            steps = replay()
            began = time.perf_counter()
            next(steps)
            first.append(time.perf_counter() - began)
            used = time.process_time()
            between += _timed(steps)
            cpu_s += time.process_time() - used
        return {
            "latency": {"first_token": first, "next_token": between},
            "cpu_s": cpu_s / len(between),
            "per_s": [self._together(count) for count in self._at_once],
        }

    def _together(self, count: int) -> float:
        """Tokens a second of so many sequences, each on a thread of its own, with what is read before them."""
        some = [self._replays[number % len(self._replays)] for number in range(count)]
        began = time.perf_counter()
        with ThreadPoolExecutor(count) as pool:
            done = sum(pool.map(lambda replay: sum(1 for _ in replay()) - 1, some))
        return done / (time.perf_counter() - began)


def _language(job: Job) -> _Writing:
    """The second half of a text is written."""
    folder = Path(job.folder)
    model = OnnxModel(folder) if job.is_graph else Checkpoint(folder)
    generator = load(model, threads=job.threads, device=job.device)
    length = min(job.prompt_tokens + job.new_tokens, generator.context_length)
    ids = generator.encode("\n".join(job.inputs))
    while len(ids) < 2 * length:
        ids += ids
    texts = [ids[:length], ids[length : 2 * length]]
    return _Writing(
        [partial(generator.replay, ids[: -job.new_tokens], ids[-job.new_tokens :]) for ids in texts], job.at_once
    )


def _rewriting(job: Job) -> _Writing:
    """What answers a text is written."""
    rewriter = Rewriter(Path(job.folder), threads=job.threads, device=job.device)
    pairs = [{"input": read, "output": written} for read, written in job.inputs]
    return _Writing(
        [partial(rewriter.replay, *rewritten(rewriter, pair, job.new_tokens)) for pair in pairs], job.at_once
    )


class _Network:
    def __init__(self, job: Job) -> None:
        runner: Any = network(job.ability, Path(job.folder), threads=job.threads, device=job.device)
        some: list[Any] = list(job.inputs)
        if job.ability in ("image classes", "boxes"):
            some = [Path(name).read_bytes() for name in job.inputs]
        if job.ability == "matching":
            some = [(caption, Path(name).read_bytes()) for caption, name in job.inputs]
        self._run = runner.network.run
        self._alone = [runner.prepared([one]) for one in some]
        self._batches = [runner.prepared([some[at % len(some)] for at in range(count)]) for count in job.at_once]

    def round(self) -> dict[str, Any]:
        used = time.process_time()
        passes = self._passes(self._alone)
        cpu_s = (time.process_time() - used) / len(passes)
        batches = [(len(arrays[0]), self._passes([arrays])) for arrays in self._batches]
        return {
            "latency": {"pass": passes},
            "cpu_s": cpu_s,
            "per_s": [count * len(times) / sum(times) for count, times in batches],
        }

    def _passes(self, inputs: Sequence[Sequence[Any]]) -> list[float]:
        """Seconds of passes over the inputs, again and again until enough is known."""
        found: list[float] = []
        until = time.perf_counter() + _LEAST_S
        while not found or time.perf_counter() < until:
            for arrays in inputs:
                began = time.perf_counter()
                self._run(*arrays)
                found.append(time.perf_counter() - began)
        return found


_OPENED: Mapping[Ability, Callable[[Job], _Bench]] = {"language": _language, "rewriting": _rewriting}


def main() -> None:
    """Serve rounds until stdin ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints must not stand among the answers
    try:
        job = Job(**json.loads(sys.stdin.readline()))
        if job.threads is not None and hasattr(os, "sched_setaffinity"):
            allowed = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, allowed[: job.threads])
        began = time.perf_counter()
        bench: _Bench = _OPENED.get(job.ability, _Network)(job)
        _tell(answers, {"load_s": time.perf_counter() - began})
        for _ in sys.stdin:
            before = energy.packages()
            found = bench.round()
            used_j = energy.joules(before, energy.packages())
            _tell(answers, {**found, "energy_j": used_j, "memory_bytes": process_memory.peak_bytes()})
    except AictlError as error:
        _tell(answers, {"error": type(error).__name__, "message": error.message, "cure": error.cure})


def _timed(steps: Iterator[int]) -> list[float]:
    found, before = [], time.perf_counter()
    for _ in steps:
        now = time.perf_counter()
        found.append(now - before)
        before = now
    return found


def _tell(answers: IO[str], value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
