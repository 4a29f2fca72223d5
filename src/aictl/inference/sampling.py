"""Choosing the next token from logits, alike on every runtime.

Temperature divides the logits; nucleus sampling (Holtzman et al. 2020, arXiv:1904.09751) then
keeps the smallest set of tokens whose probability reaches ``top_p``. Both as transformers does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aictl.core.errors import BadRequest, WorkFailed

if TYPE_CHECKING:
    from aictl.inference.generator import Sampling

_LIKELY = 256  # tokens that are sorted at first; nearly always enough to hold the nucleus


class Sampler:
    """Draws one token after another. The same seed and the same logits give the same tokens."""

    def __init__(self, sampling: Sampling) -> None:
        if sampling.temperature < 0:
            raise BadRequest(f"temperature is {sampling.temperature}, and must not be negative")
        if not 0 < sampling.top_p <= 1:
            raise BadRequest(f"top_p is {sampling.top_p}, and must be above 0 and at most 1")
        self._temperature = sampling.temperature
        self._top_p = sampling.top_p
        self._random = np.random.default_rng(sampling.seed)

    def choose(self, logits: np.ndarray) -> int:
        """The id of the next token; ``logits`` has shape (vocabulary,).

        Raises :class:`WorkFailed` if the logits are no numbers, which a damaged or diverged model
        gives.
        """
        best = int(logits.argmax())  # argmax returns the first nan, if there is one
        if not np.isfinite(logits[best]):
            raise WorkFailed("the model's logits are not finite", cure="check the model: aictl artifact check NAME")
        if self._temperature == 0:
            return best
        weights = np.exp((logits.astype(np.float64) - float(logits[best])) / self._temperature)
        if self._top_p == 1:
            return self._draw(weights)
        ids, weights = _nucleus(weights, self._top_p)
        return int(ids[self._draw(weights)])

    def _draw(self, weights: np.ndarray) -> int:
        cumulative = weights.cumsum()
        drawn = int(np.searchsorted(cumulative, self._random.random() * cumulative[-1], side="right"))
        return min(drawn, len(weights) - 1)


def _nucleus(weights: np.ndarray, top_p: float) -> tuple[np.ndarray, np.ndarray]:
    """Ids and weights of the fewest tokens that hold ``top_p`` of the whole weight, best first."""
    wanted = top_p * weights.sum()
    count = min(_LIKELY, len(weights))
    likely = np.argpartition(weights, -count)[-count:]
    if weights[likely].sum() < wanted:
        likely = np.arange(len(weights))
    ids = likely[np.argsort(-weights[likely], kind="stable")]
    enough = int(np.searchsorted(weights[ids].cumsum(), wanted)) + 1
    return ids[:enough], weights[ids[:enough]]
