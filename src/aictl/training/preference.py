"""Learning from preferences without a reward model: which of two answers is the better.

The reward that a policy implies for an answer is beta times how much likelier it makes it than the reference did
(https://arxiv.org/abs/2305.18290, equation 5). What the reference says never changes, so it is computed once.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F

from aictl.training.batches import IGNORED, Share, TokenBatch
from aictl.training.conversations import Conversations, SortedPools
from aictl.training.objective import Judge, Objective, target_losses


@dataclass(frozen=True)
class PreferenceLoss:
    """``kind`` is ``sigmoid`` (DPO's own, equation 7; with ``label_smoothing``, the share of the preferences taken to
    be the wrong way round, https://ericmitchell.ai/cdpo.pdf), ``hinge`` (https://arxiv.org/abs/2305.10425) or ``ipo``
    (https://arxiv.org/abs/2310.12036, equation 17), which aims at a margin of 1 / (2 beta) between means over
    tokens, so that long answers do not outweigh short ones."""

    kind: Literal["sigmoid", "hinge", "ipo"] = "sigmoid"
    beta: float = 0.1
    label_smoothing: float = 0.0

    def losses(self, policy: torch.Tensor, reference: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        """The loss of each preference. ``policy`` and ``reference`` are sums of log-probabilities of the chosen and
        the rejected answer, ``sizes`` their tokens, all of shape (preferences, 2)."""
        gained = policy - reference
        if self.kind == "ipo":
            means = gained / sizes
            return (means[:, 0] - means[:, 1] - 1 / (2 * self.beta)) ** 2
        margin = self.beta * (gained[:, 0] - gained[:, 1])
        if self.kind == "hinge":
            return F.relu(1 - margin)
        return -(1 - self.label_smoothing) * F.logsigmoid(margin) - self.label_smoothing * F.logsigmoid(-margin)


@dataclass(frozen=True)
class PreferenceBatch:
    """``tokens`` has two rows a preference: the conversation with the chosen answer, then that with the rejected one.
    ``reference`` are the log-probabilities of the two under the reference, float32 of shape (preferences, 2)."""

    tokens: TokenBatch
    reference: torch.Tensor

    @property
    def counted(self) -> int:
        return len(self.reference)

    @property
    def rows(self) -> int:
        return len(self.reference)

    @property
    def positions(self) -> int:
        return self.tokens.positions

    def parts(self, most: int) -> list[PreferenceBatch]:
        pairs = max(1, most // (2 * self.tokens.inputs.shape[1]))
        parts = []
        for first in range(0, self.counted, pairs):
            rows = slice(2 * first, 2 * (first + pairs))
            tokens = TokenBatch(self.tokens.inputs[rows], self.tokens.targets[rows], 0)
            [trimmed] = tokens.parts(tokens.positions)  # one part, without what comes after its last target
            parts.append(PreferenceBatch(trimmed, self.reference[first : first + pairs]))
        return parts

    def to(self, device: torch.device) -> PreferenceBatch:
        return PreferenceBatch(self.tokens.to(device), self.reference.to(device))


def log_probabilities(model: torch.nn.Module, tokens: TokenBatch) -> torch.Tensor:
    """Sums over the targets of each row, float32 of shape (rows / 2, 2)."""
    wanted = tokens.targets != IGNORED
    rows = wanted.nonzero()[:, 0]
    sums = torch.zeros(len(tokens.inputs), device=rows.device)
    return -sums.index_add(0, rows, target_losses(model, tokens)).view(-1, 2)


def objective(loss: PreferenceLoss) -> Objective:
    """The sum over the preferences of a batch."""

    def compute(model: torch.nn.Module, batch: PreferenceBatch) -> torch.Tensor:
        return loss.losses(log_probabilities(model, batch.tokens), batch.reference, sizes_of(batch)).sum()

    return compute


def judge(loss: PreferenceLoss) -> Judge:
    """The loss, how often the chosen answer has the higher implied reward, by how much, and the two rewards."""

    def compute(model: torch.nn.Module, batch: PreferenceBatch) -> Mapping[str, torch.Tensor]:
        policy = log_probabilities(model, batch.tokens)
        rewards = loss.beta * (policy - batch.reference)
        margins = rewards[:, 0] - rewards[:, 1]
        return {
            "loss": loss.losses(policy, batch.reference, sizes_of(batch)).sum(),
            "accuracy": (margins > 0).sum(),
            "margin": margins.sum(),
            "chosen_reward": rewards[:, 0].sum(),
            "rejected_reward": rewards[:, 1].sum(),
        }

    return compute


def sizes_of(batch: PreferenceBatch) -> torch.Tensor:
    return (batch.tokens.targets != IGNORED).sum(1).view(-1, 2)


class Preferences:
    """``conversations`` has two for each preference, the chosen before the rejected; ``reference`` are their
    log-probabilities, float32 of shape (preferences, 2), those that are not known yet NaN."""

    def __init__(self, conversations: Conversations) -> None:
        self.conversations = conversations
        self.reference: np.ndarray = np.full((len(conversations) // 2, 2), np.nan, np.float32)

    def __len__(self) -> int:
        return len(self.reference)

    def lengths(self) -> np.ndarray:
        """Tokens of the longer of each two."""
        return self.conversations.lengths().reshape(-1, 2).max(1)

    def batch(self, rows: Sequence[int]) -> PreferenceBatch:
        tokens = self.conversations.batch([2 * row + side for row in rows for side in (0, 1)])
        return PreferenceBatch(tokens, torch.from_numpy(self.reference[list(rows)]))


class PreferenceBatches:
    """An endless stream of batches of ``size`` preferences of like length."""

    def __init__(self, preferences: Preferences, size: int, seed: int) -> None:
        self._preferences = preferences
        self._size = min(size, len(preferences))
        self._order = SortedPools(preferences.lengths(), self._size, seed)
        self._share = Share()

    def __getitem__(self, position: int) -> PreferenceBatch:
        return self._preferences.batch(self._share.of(self.rows(position)))

    def shared(self, rank: int, ranks: int) -> PreferenceBatches:
        part = copy.copy(self)
        part._share = Share(rank, ranks)
        return part

    def named(self, position: int) -> str:
        return f"preferences {', '.join(str(row + 1) for row in self.rows(position))} of the train split"

    def rows(self, position: int) -> list[int]:
        """The preferences of a batch."""
        epoch, place = divmod(position, self._order.count // self._size)
        return self._order.epoch(epoch)[place * self._size : (place + 1) * self._size].tolist()
