"""The losses of preferences, worked out by hand on fixed log-probabilities, and what batches of them do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from aictl.training.batches import IGNORED
from aictl.training.conversations import read, write
from aictl.training.dialogue import Dialogue
from aictl.training.preference import (
    PreferenceBatches,
    PreferenceLoss,
    Preferences,
    judge,
    log_probabilities,
    objective,
)

# Gains over the reference: chosen 2 and rejected -1, so 3 apart; then 1 and 2.5, so 1.5 the wrong way round.
POLICY = torch.tensor([[-10.0, -21.0], [-9.0, -7.5]])
REFERENCE = torch.tensor([[-12.0, -20.0], [-10.0, -10.0]])
SIZES = torch.tensor([[4, 5], [2, 10]])


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # log(1 + exp(-beta x margin)): margins of 0.3 and -0.15
        (PreferenceLoss("sigmoid", 0.1), [math.log1p(math.exp(-0.3)), math.log1p(math.exp(0.15))]),
        # (1 - s) of that and s of it the other way round: 0.554355 + 0.1 x 0.3, 0.770957 - 0.1 x 0.15
        (PreferenceLoss("sigmoid", 0.1, 0.1), [0.584355, 0.755957]),
        # 1 - 0.3, and 1 + 0.15
        (PreferenceLoss("hinge", 0.1), [0.7, 1.15]),
        # 2 / 4 + 1 / 5 = 0.7 and 1 / 2 - 2.5 / 10 = 0.25, from 1 / (2 x 0.1) = 5
        (PreferenceLoss("ipo", 0.1), [(0.7 - 5) ** 2, (0.25 - 5) ** 2]),
    ],
)
def test_losses_are_those_worked_out_by_hand(loss, expected):
    assert loss.losses(POLICY, REFERENCE, SIZES).tolist() == pytest.approx(expected, rel=1e-5)


@pytest.fixture
def preferences(tmp_path) -> Preferences:
    generator = np.random.default_rng(0)

    def dialogues():
        for length in range(5, 17):
            for more in (0, 3):
                yield Dialogue(generator.integers(0, 50, length + more).tolist(), [p > 2 for p in range(length + more)])

    write(tmp_path / "some.conversations", dialogues())
    return Preferences(read(tmp_path / "some.conversations"))


@pytest.fixture
def model():
    torch.manual_seed(0)
    shape = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    return LlamaForCausalLM(LlamaConfig(**shape, num_attention_heads=2, initializer_range=0.3)).eval()


def plainly(model, ids: list[int], learnt: list[bool]) -> float:
    with torch.no_grad():
        scores = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(scores[place - 1, ids[place]].item() for place in range(1, len(ids)) if learnt[place])


def test_log_probabilities_are_sums_over_the_answers(model, preferences):
    batch = preferences.batch([2, 9])
    found = log_probabilities(model, batch.tokens)
    ends = preferences.conversations.ends.tolist()
    for place, row in enumerate([2, 9]):
        for side in (0, 1):
            first, last = ends[2 * row + side - 1], ends[2 * row + side]
            ids = preferences.conversations.ids[first:last].tolist()
            assert found[place, side].item() == pytest.approx(
                plainly(model, ids, [p > 2 for p in range(len(ids))]), 1e-4
            )


def test_parts_are_whole_preferences_and_their_losses_sum_up(model, preferences):
    preferences.reference[:] = -30.0
    batch = preferences.batch(list(range(12)))
    parts = batch.parts(40)
    assert [part.counted for part in parts] == [1] * 12
    assert all(len(part.tokens.inputs) == 2 for part in parts)
    assert all((part.tokens.targets[:, -1] != IGNORED).any() for part in parts)
    loss = PreferenceLoss()
    whole = objective(loss)(model, batch).item()
    assert sum(objective(loss)(model, part).item() for part in parts) == pytest.approx(whole, rel=1e-5)
    found = judge(loss)(model, batch)
    assert found["loss"].item() == pytest.approx(whole, rel=1e-5)
    assert found["margin"].item() == pytest.approx((found["chosen_reward"] - found["rejected_reward"]).item(), rel=1e-4)
    assert 0 <= found["accuracy"] <= 12


def test_an_epoch_shows_every_preference_once(preferences):
    preferences.reference[:] = np.arange(24).reshape(12, 2)
    batches = PreferenceBatches(preferences, 4, seed=0)
    assert sorted(row for position in range(3) for row in batches.rows(position)) == list(range(12))
    for position in range(3):
        assert batches[position].reference[:, 0].tolist() == [2 * row for row in batches.rows(position)]
        shares = [batches.shared(rank, 2)[position].reference[:, 0].tolist() for rank in range(2)]
        assert sorted(shares[0] + shares[1]) == sorted(2 * row for row in batches.rows(position))
