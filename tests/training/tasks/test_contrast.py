from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from aictl.training.tasks.contrast import contrastive_loss, grouped, recall, same_groups


def test_the_loss_is_that_of_clip_where_nothing_is_the_same():
    torch.manual_seed(0)
    left, right = (F.normalize(torch.randn(5, 8), dim=1) for _ in range(2))
    rows = torch.arange(5)
    logits = 10 * left @ right.T
    expected = (F.cross_entropy(logits, rows) + F.cross_entropy(logits.T, rows)) / 2 * 5
    found = contrastive_loss(left, right, 10.0, same_groups(rows, rows))
    torch.testing.assert_close(found, expected)


def test_what_is_the_same_is_not_told_apart():
    """With the row that repeats another's text left out, the loss of the others is what it is without it."""
    torch.manual_seed(0)
    left, right = (F.normalize(torch.randn(4, 8), dim=1) for _ in range(2))
    left[3], right[3] = left[0], right[0]
    groups = torch.tensor([0, 1, 2, 0])
    three = contrastive_loss(left[:3], right[:3], 10.0, same_groups(groups[:3], groups[:3]))
    four = contrastive_loss(left, right, 10.0, same_groups(groups, groups))
    twice = contrastive_loss(left, right, 10.0, same_groups(torch.arange(4), torch.arange(4)))
    assert three < four < twice
    assert grouped(["a", "b", "a", "c"]).tolist() == [0, 1, 0, 2]


def test_recall_counts_any_of_a_group_and_each_candidate_once():
    left = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    right = np.eye(3, dtype=np.float32)[[0, 1, 1, 0]]
    groups = np.array([0, 1, 2, 0])
    assert recall(left, right, groups, 1) == pytest.approx(0.75)
    assert recall(left, right, groups, 3) == 1.0
