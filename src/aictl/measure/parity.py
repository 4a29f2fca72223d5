"""How far what one model gives is from what another gives for the same inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aictl.core.errors import WorkFailed


@dataclass(frozen=True)
class Parity:
    """``worst`` is the largest absolute difference of any number; ``agreement`` the share of rows in which both put
    the same place first, as of logits; ``cosine`` the least of any pair of rows, as of vectors."""

    worst: float
    agreement: float
    cosine: float


def parity(reference: Sequence[np.ndarray], candidate: Sequence[np.ndarray]) -> Parity:
    """Compare arrays of equal shape, float32 (..., width), one for each input; every last axis is a row.

    Raises :class:`WorkFailed` where the candidate's are of another shape, or are no numbers.
    """
    worst, same, rows, cosine = 0.0, 0, 0, 1.0
    for wanted, got in zip(reference, candidate, strict=True):
        if wanted.shape != got.shape:
            raise WorkFailed(f"it gives {got.shape} where {wanted.shape} was wanted")
        if not np.isfinite(got).all():
            raise WorkFailed("it gives what are no finite numbers")
        one, other = (values.reshape(-1, values.shape[-1]).astype(np.float64) for values in (wanted, got))
        worst = max(worst, float(np.abs(one - other).max()))
        same += int((one.argmax(1) == other.argmax(1)).sum())
        rows += len(one)
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        cosine = min(cosine, float(((one * other).sum(axis=1) / np.maximum(lengths, 1e-30)).min()))
    return Parity(worst, same / rows, cosine)
