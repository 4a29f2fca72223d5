"""What it costs a language model to predict given tokens, without its logits ever being held for a whole text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from aictl.inference.engine import Engine

PART_TOKENS = 256  # whose logits are held at once: 50 MB for a vocabulary of 49,152


class Stretch(NamedTuple):
    """Token ids, of which those from ``start`` (at least 1) on are predicted."""

    ids: Sequence[int]
    start: int = 1

    @property
    def predicted(self) -> int:
        return len(self.ids) - self.start


class Scored(NamedTuple):
    """For each predicted token its negative log-likelihood in nats, float64, and whether it was the likeliest."""

    losses: np.ndarray
    likeliest: np.ndarray


def of_logits(logits: np.ndarray, targets: np.ndarray) -> Scored:
    """Of float32 logits (tokens, vocabulary) and the tokens that came, int64 (tokens,)."""
    highest = logits.max(axis=1)
    # float64 for the sum over the vocabulary: it has tens of thousands of small terms
    normaliser = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1, dtype=np.float64))
    return Scored(normaliser - logits[np.arange(len(targets)), targets], logits.argmax(axis=1) == targets)


def joined(parts: Sequence[Scored]) -> Scored:
    """What was scored part by part, as one."""
    return Scored(np.concatenate([one.losses for one in parts]), np.concatenate([one.likeliest for one in parts]))


def one_by_one(engine: Engine, stretches: Sequence[Stretch]) -> Iterator[Scored]:
    """Each stretch by itself, part by part, through the keys and values that the engine remembers."""
    for stretch in stretches:
        given, parts = list(stretch.ids[:-1]), []
        sequence = engine.open(len(given))
        # What is only read needs no logits.
        for begin, end in _parts(0, stretch.start - 1):
            sequence.append(given[begin:end])
        for begin, end in _parts(stretch.start - 1, len(given)):
            logits = sequence.append(given[begin:end], every=True)
            parts.append(of_logits(logits, np.array(stretch.ids[begin + 1 : end + 1])))
        yield joined(parts)


def _parts(begin: int, end: int) -> Iterator[tuple[int, int]]:
    for at in range(begin, end, PART_TOKENS):
        yield at, min(at + PART_TOKENS, end)
