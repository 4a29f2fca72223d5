"""How fast models decode, compared so that a noisy machine cannot decide the outcome.

All contestants run the same tokens in short rounds, one after the other, so that a slow minute
hits them alike, and the time is the processor's, not the clock's. The uncertainty of the ratio is
a percentile bootstrap over the rounds (Efron & Tibshirani 1993, chapter 13).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aictl.core.errors import BadRequest
from aictl.core.events import Events, silent
from aictl.inference.generator import TextGenerator

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Speed:
    """CPU seconds per token of one model, one value per round."""

    prefill_s: tuple[float, ...]
    decode_s: tuple[float, ...]

    @property
    def prefill_tokens_per_s(self) -> float:
        return 1 / float(np.median(self.prefill_s))

    @property
    def decode_tokens_per_s(self) -> float:
        return 1 / float(np.median(self.decode_s))


@dataclass(frozen=True)
class SpeedUp:
    """How many times less CPU time per decoded token, with its 95% confidence interval."""

    ratio: float
    low: float
    high: float


def race(
    contestants: Mapping[str, TextGenerator],
    texts: Sequence[Sequence[int]],
    *,
    rounds: int = 7,
    decoded: int = 24,
    events: Events = silent,
) -> dict[str, Speed]:
    """Time every contestant on the same token ids, in interleaved rounds.

    Of every text the last ``decoded`` tokens are run one by one, as if the model had chosen them,
    and all before as the prompt. The first round warms up and does not count. Load contestants
    with ``threads=1`` for a figure that means the same on every machine.
    """
    if not texts or any(len(ids) <= decoded for ids in texts):
        raise BadRequest(f"speed is measured on texts of more than {decoded} tokens each")
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    events.started("measure speed", total=rounds + 1, unit="rounds")
    for count in range(rounds + 1):
        for name, generator in contestants.items():
            measured = _one_round(generator, texts, decoded)
            if count:
                times[name].append(measured)
        events.advanced("measure speed", count + 1)
    events.finished("measure speed")
    return {name: Speed(tuple(row[0] for row in rows), tuple(row[1] for row in rows)) for name, rows in times.items()}


def speed_up(baseline: Speed, candidate: Speed, *, seed: int = 0) -> SpeedUp:
    """Ratio of CPU time per decoded token, baseline over candidate, of two that raced together."""
    ratios = np.log(np.array(baseline.decode_s) / np.array(candidate.decode_s))
    picks = np.random.default_rng(seed).integers(len(ratios), size=(RESAMPLES, len(ratios)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.median(ratios[picks], axis=1), [tail, 1 - tail])
    return SpeedUp(float(np.exp(np.median(ratios))), float(np.exp(low)), float(np.exp(high)))


def _one_round(generator: TextGenerator, texts: Sequence[Sequence[int]], decoded: int) -> tuple[float, float]:
    prefill = decode = 0.0
    for ids in texts:
        steps = generator.replay(ids[:-decoded], ids[-decoded:])
        start = time.process_time()
        next(steps)
        filled = time.process_time()
        for _ in steps:
            pass
        prefill += filled - start
        decode += time.process_time() - filled
    return prefill / sum(len(ids) - decoded for ids in texts), decode / (decoded * len(texts))
