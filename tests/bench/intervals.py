"""How often a 95% interval covers the truth: plain percentiles beside BCa, on made-up classifiers and texts.

    python -m tests.bench.intervals

The truth is the measure of 400,000 documents; each figure is the share of 400 samples whose interval holds it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np

from aictl.measure import classification, prediction
from aictl.measure import resampling as room

SAMPLES, RESAMPLES, CONFIDENCE = 400, 1000, 0.95
Make = Callable[[np.random.Generator, int], dict[str, room.Measure]]


def classifier(random: np.random.Generator, documents: int) -> dict[str, room.Measure]:
    """Five classes of unequal size, told apart well and with too much confidence."""
    true = random.choice(5, documents, p=[0.5, 0.25, 0.15, 0.07, 0.03])
    logits = random.normal(size=(documents, 5))
    logits[np.arange(documents), true] += 2.2
    odds = np.exp(logits * 1.6)
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    judged = classification.Judged(
        true,
        probabilities.argmax(1),
        probabilities[np.arange(documents), true],
        probabilities.max(1),
        ((probabilities - np.eye(5)[true]) ** 2).sum(1),
    )
    found = classification.measures(judged)
    found.pop("micro_f1")
    return found


def texts(random: np.random.Generator, documents: int) -> dict[str, room.Measure]:
    """Documents of very unequal length, as on the web."""
    tokens = np.maximum(1, random.lognormal(4, 1, documents).astype(int))
    loss = tokens * np.maximum(0.3, random.lognormal(1, 0.3, documents))
    return prediction.measures(
        loss, tokens, tokens * 4 + random.integers(0, 20, documents), tokens * random.beta(3, 5, documents)
    )


def covered(make: Make, documents: int) -> dict[str, tuple[float, float]]:
    """By measure, the share of intervals that hold the truth: percentiles and BCa."""
    truth = {name: room.value_of(one) for name, one in make(np.random.default_rng(10**6), 400_000).items()}
    hits: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for sample in range(SAMPLES):
        made = make(np.random.default_rng(sample), documents)
        drawn = room._drawn(made, sample, RESAMPLES, lambda done: None)
        for name, measure in made.items():
            value = room.value_of(measure)
            for way, left_out in enumerate((None, lambda measure=measure: room._left_out(measure))):
                low, high = room._ends(room._shape(value, drawn[name], left_out), CONFIDENCE)
                hits[name][way] += low is not None and low <= truth[name] <= high
    return {name: (one / SAMPLES, other / SAMPLES) for name, (one, other) in hits.items()}


if __name__ == "__main__":
    for documents in (50, 200):
        for make in (classifier, texts):
            for name, (percentile, bca) in covered(make, documents).items():
                print(f"{documents:4} documents  {name:18}  percentiles {percentile:.3f}  BCa {bca:.3f}")
