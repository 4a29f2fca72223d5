"""How far one model's logits are from another's on the same text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aictl.inference.generator import TextGenerator


@dataclass(frozen=True)
class Parity:
    """``worst`` is the largest absolute difference of any logit; ``agreement`` the share of
    positions at which both put the same token first."""

    worst: float
    agreement: float


def parity(reference: TextGenerator, candidate: TextGenerator, prompts: Sequence[Sequence[int]]) -> Parity:
    """Compare the logits at every position of every prompt."""
    worst, same, positions = 0.0, 0, 0
    for prompt in prompts:
        wanted, got = reference.logits(prompt), candidate.logits(prompt)
        worst = max(worst, float(np.abs(wanted - got).max()))
        same += int((wanted.argmax(1) == got.argmax(1)).sum())
        positions += len(prompt)
    return Parity(worst, same / positions)
