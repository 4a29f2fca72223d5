"""How fast models are, compared so that a noisy machine cannot decide the outcome.

All contestants do the same work in short rounds, one after the other, so that a slow minute hits them alike, and the
time is the processor's, not the clock's. The uncertainty of the ratio is a percentile bootstrap over the rounds (Efron
& Tibshirani 1993, chapter 13).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from aictl.core.errors import BadRequest
from aictl.core.events import Events, silent
from aictl.inference.generator import TextGenerator

RESAMPLES = 2000
CONFIDENCE = 0.95

# One round of a contestant: CPU seconds of a unit of its work, by the phase that it belongs to.
Round = Callable[[], Mapping[str, float]]
# The same of every round that counts.
Times = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class SpeedUp:
    """How many times less CPU time, with its 95% confidence interval."""

    ratio: float
    low: float
    high: float


def race(
    contestants: Mapping[str, Round], *, rounds: int = 7, within_s: float = 60, events: Events = silent
) -> dict[str, Times]:
    """Time every contestant in interleaved rounds; the first warms up and does not count.

    After ``within_s`` seconds of CPU time it ends early, but never before three rounds that count.
    """
    times: dict[str, list[Mapping[str, float]]] = {name: [] for name in contestants}
    events.started("measure speed", total=rounds + 1, unit="rounds")
    began = time.process_time()
    for count in range(rounds + 1):
        for name, work in contestants.items():
            times[name].append(work())
        events.advanced("measure speed", count + 1)
        if count >= 3 and time.process_time() - began > within_s:
            break
    events.finished("measure speed")
    return {name: {phase: [one[phase] for one in kept[1:]] for phase in kept[0]} for name, kept in times.items()}


def speed_up(baseline: Sequence[float], candidate: Sequence[float], *, seed: int = 0) -> SpeedUp:
    """Ratio of the times of one phase, baseline over candidate, of two that raced together."""
    ratios = np.log(np.array(baseline) / np.array(candidate))
    picks = np.random.default_rng(seed).integers(len(ratios), size=(RESAMPLES, len(ratios)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.median(ratios[picks], axis=1), [tail, 1 - tail])
    return SpeedUp(float(np.exp(np.median(ratios))), float(np.exp(low)), float(np.exp(high)))


def decoding(generator: TextGenerator, texts: Sequence[Sequence[int]], decoded: int) -> Round:
    """CPU seconds a token, in the phases ``prefill`` and ``decode``.

    Of every text the last ``decoded`` tokens are run one by one, as if the model had chosen them, and all before as
    the prompt. Load the model with ``threads=1`` for a figure that means the same on every machine. Raises
    :class:`BadRequest` for texts that are too short.
    """
    if not texts or any(len(ids) <= decoded for ids in texts):
        raise BadRequest(f"speed is measured on texts of more than {decoded} tokens each")

    replays = [partial(generator.replay, ids[:-decoded], ids[-decoded:]) for ids in texts]
    return writing(replays, read=sum(len(ids) - decoded for ids in texts), written=decoded * len(texts))


def writing(replays: Sequence[Callable[[], Iterator[Any]]], *, read: int, written: int) -> Round:
    """CPU seconds a token, in the phases ``prefill`` and ``decode``. Each of ``replays`` gives something when all that
    comes before is read, and after each token that is written; these are so many ``read`` and ``written`` of all."""

    def work() -> Mapping[str, float]:
        prefill = decode = 0.0
        for replay in replays:
            steps = replay()
            start = time.process_time()
            next(steps)
            filled = time.process_time()
            for _ in steps:
                pass
            prefill += filled - start
            decode += time.process_time() - filled
        return {"prefill": prefill / read, "decode": decode / written}

    return work


def answering(run: Callable[..., Any], inputs: Sequence[Sequence[Any]], least_s: float = 0.05) -> Round:
    """CPU seconds of one pass of a network, in the phase ``pass``, over inputs that are ready; all are run, over and
    over, until ``least_s`` are spent, since one pass may be shorter than what a clock can tell."""

    def work() -> Mapping[str, float]:
        start, passes = time.process_time(), 0
        while True:
            for arrays in inputs:
                run(*arrays)
            passes += len(inputs)
            spent = time.process_time() - start
            if spent >= least_s:
                return {"pass": spent / passes}

    return work
