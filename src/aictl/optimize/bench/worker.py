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
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import AictlError
from aictl.inference.load import load
from aictl.judging.subject import Ability
from aictl.measure import energy, process_memory
from aictl.optimize.contestants import network

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


class _Language:
    """The second half of a text is run as if the model had chosen it, so that all models do the same work."""

    def __init__(self, job: Job) -> None:
        folder = Path(job.folder)
        model = OnnxModel(folder) if job.is_graph else Checkpoint(folder)
        self._job, self._generator = job, load(model, threads=job.threads, device=job.device)
        length = min(job.prompt_tokens + job.new_tokens, self._generator.context_length)
        ids = self._generator.encode("\n".join(job.inputs))
        while len(ids) < 2 * length:
            ids += ids
        self._texts = [ids[:length], ids[length : 2 * length]]

    def round(self) -> dict[str, Any]:
        first, between, cpu_s = [], [], 0.0
        for ids in self._texts:
            steps = self._steps(ids)
            began = time.perf_counter()
            next(steps)
            first.append(time.perf_counter() - began)
            used = time.process_time()
            between += _timed(steps)
            cpu_s += time.process_time() - used
        return {
            "latency": {"first_token": first, "next_token": between},
            "cpu_s": cpu_s / len(between),
            "per_s": [self._together(count) for count in self._job.at_once],
        }

    def _steps(self, ids: Sequence[int]) -> Iterator[int]:
        return self._generator.replay(ids[: -self._job.new_tokens], ids[-self._job.new_tokens :])

    def _together(self, count: int) -> float:
        """Tokens a second of so many sequences, each on a thread of its own, their prompts included."""
        texts = [self._texts[number % len(self._texts)] for number in range(count)]
        began = time.perf_counter()
        with ThreadPoolExecutor(count) as pool:
            done = sum(pool.map(lambda ids: sum(1 for _ in self._steps(ids)) - 1, texts))
        return done / (time.perf_counter() - began)


class _Network:
    def __init__(self, job: Job) -> None:
        runner: Any = network(job.ability, Path(job.folder), threads=job.threads, device=job.device)
        some: list[Any] = list(job.inputs)
        if job.ability == "image classes":
            some = [Path(name).read_bytes() for name in job.inputs]
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


def main() -> None:
    """Serve rounds until stdin ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints must not stand among the answers
    try:
        job = Job(**json.loads(sys.stdin.readline()))
        if job.threads is not None and hasattr(os, "sched_setaffinity"):
            allowed = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, allowed[: job.threads])
        began = time.perf_counter()
        bench: _Bench = _Language(job) if job.ability == "language" else _Network(job)
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
