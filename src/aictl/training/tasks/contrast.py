"""Two views of each document, brought together: every view is told apart from the others' in its batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F


def contrastive_loss(
    left: torch.Tensor, right: torch.Tensor, scale: torch.Tensor | float, same: torch.Tensor
) -> torch.Tensor:
    """Sum over the rows, half each way, of -log p(the row's own other view among all of the batch), in nats
    (https://arxiv.org/abs/2103.00020, figure 3). ``left`` and ``right`` are unit vectors of shape (rows, width);
    ``same`` is a mask of shape (rows, rows) of pairs that belong together: beside the row's own they are left out."""
    logits = scale * (left.float() @ right.float().T)
    own = torch.eye(len(left), dtype=torch.bool, device=left.device)
    logits = logits.masked_fill(same & ~own, float("-inf"))
    rows = torch.arange(len(left), device=left.device)
    return (F.cross_entropy(logits, rows, reduction="sum") + F.cross_entropy(logits.T, rows, reduction="sum")) / 2


def same_groups(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Which rows belong together, as one of their views is the same: by the numbers of both views, int64 (rows,)."""
    return (left[:, None] == left[None]) | (right[:, None] == right[None])


def grouped(values: Sequence[object]) -> np.ndarray:
    """A number for each value, the same for equal ones."""
    numbers: dict[object, int] = {}
    return np.fromiter((numbers.setdefault(value, len(numbers)) for value in values), dtype=np.int64, count=len(values))


def recall(left: np.ndarray, right: np.ndarray, right_groups: np.ndarray, most: int) -> float:
    """The share of rows of ``left`` whose own row of ``right``, or one of its group, is among the ``most`` nearest.
    Both are unit vectors of shape (rows, width). Each candidate counts once, however often it occurs."""
    candidates = np.unique(right_groups, return_index=True)[1]
    found = 0
    for start in range(0, len(left), 1024):
        scores = left[start : start + 1024] @ right[candidates].T
        nearest = np.argsort(-scores, axis=1, kind="stable")[:, :most]
        wanted = right_groups[start : start + 1024, None]
        found += int((right_groups[candidates][nearest] == wanted).any(axis=1).sum())
    return found / len(left)
