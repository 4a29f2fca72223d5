"""Which matrices suffer from 4 bits, found by measurement, and which are given 8.

A matrix's damage is how far the model's next-token distribution moves (the Kullback-Leibler
divergence per token) when that matrix alone is rounded. It needs far less text than a difference of losses does:
every word of the vocabulary is compared, not only the one that came next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aictl.optimize.rounding.calibration import Prober, Texts


def damages(
    folder: Path,
    parameters: Mapping[str, Callable[[], npt.NDArray[np.float32]]],
    texts: Texts,
    *,
    threads: int | None = None,
) -> Iterator[tuple[str, float]]:
    """The damage in nats per token, one parameter at a time: ``parameters`` gives a weight's name in the graph of
    ``folder`` and what makes its rounded values, of the graph's shape."""
    prober = Prober(folder, replaceable=parameters, threads=threads)
    originals = [_log_probabilities(prober.run(ids, ["logits"])[0]) for ids in texts]
    for name, make in parameters.items():
        weights = {name: make()}
        moved = [
            _divergence(original, _log_probabilities(prober.run(ids, ["logits"], weights)[0]))
            for ids, original in zip(texts, originals, strict=True)
        ]
        yield name, sum(moved) / sum(len(ids) for ids in texts)


def most_sensitive(damage: Mapping[str, float], cost_bytes: Mapping[str, int], budget_bytes: int) -> list[str]:
    """The names to give 8 bits: those with the most damage per further byte, as long as all
    further bytes together stay within ``budget_bytes``."""
    chosen, left = [], budget_bytes
    for name in sorted(damage, key=lambda name: damage[name] / cost_bytes[name], reverse=True):
        if cost_bytes[name] <= left:
            chosen.append(name)
            left -= cost_bytes[name]
    return chosen


def _log_probabilities(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Of shape (tokens, vocabulary)."""
    rows = logits.reshape(-1, logits.shape[-1])
    rows = rows - rows.max(axis=1, keepdims=True)
    rows -= np.log(np.exp(rows).sum(axis=1, keepdims=True))
    return rows


def _divergence(before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]) -> float:
    """Summed over tokens."""
    return float((np.exp(before) * (before - after)).sum(dtype=np.float64))
