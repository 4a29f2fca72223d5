from __future__ import annotations

import numpy as np
import pytest

from aictl.training.batches import IGNORED
from aictl.training.conversations import read, write
from aictl.training.dialogue import Dialogue
from aictl.training.packing import PackedConversations, best_fit


@pytest.fixture
def conversations(tmp_path):
    """Of 4 to 23 tokens, thrice; each begins with a token of its own."""
    lengths = [length for length in range(4, 24) for _ in range(3)]
    made = (
        Dialogue([1000 + number, *range(length - 1)], [place > 1 for place in range(length)])
        for number, length in enumerate(lengths)
    )
    write(tmp_path / "train.conversations", made)
    return read(tmp_path / "train.conversations")


def test_best_fit_takes_the_fullest_row_that_has_room():
    assert best_fit(np.array([5, 4, 3, 2, 6]), 8) == [[4, 3], [0, 2], [1]]
    assert best_fit(np.array([8, 8]), 8) == [[0], [1]]
    assert best_fit(np.array([], dtype=np.int64), 8) == []


def test_best_fit_puts_every_item_into_a_row_with_room_for_it():
    lengths = np.random.default_rng(0).integers(1, 101, 3000)
    rows = best_fit(lengths, 128)
    assert sorted(item for row in rows for item in row) == list(range(3000))
    assert max(sum(lengths[row]) for row in rows) <= 128
    assert len(rows) < 1.02 * lengths.sum() / 128


def firsts(batch) -> list[int]:
    return [token for token in batch.inputs.flatten().tolist() if token >= 1000]


def test_an_epoch_shows_every_conversation_once_and_the_next_puts_others_together(conversations):
    batches = PackedConversations(conversations, 1, 64, seed=0)
    epochs = [[batches[epoch * batches.rows + place] for place in range(batches.rows)] for epoch in range(2)]
    for epoch in epochs:
        assert sorted(token for batch in epoch for token in firsts(batch)) == list(range(1000, 1060))
    together = [{frozenset(firsts(batch)) for batch in epoch} for epoch in epochs]
    assert together[0] != together[1]


def test_starts_say_where_conversations_begin_and_no_target_crosses(conversations):
    batch = PackedConversations(conversations, 2, 64, seed=0)[0]
    assert batch.starts is not None
    for inputs, targets, starts in zip(batch.inputs, batch.targets, batch.starts, strict=True):
        begins = (starts.diff() > 0).nonzero().flatten() + 1
        for place in [0, *begins.tolist()]:
            if place < len(inputs) and inputs[place] != 0:
                assert inputs[place] >= 1000
                assert targets[place] == IGNORED  # the second token is context
        assert not (targets >= 1000).any()
    assert batch.counted == int((batch.targets != IGNORED).sum())


def test_the_stream_can_be_entered_anywhere(conversations):
    one, other = (PackedConversations(conversations, 2, 64, seed=1) for _ in range(2))
    there = [one[position].inputs.tolist() for position in range(12)]
    assert [other[position].inputs.tolist() for position in reversed(range(12))] == there[::-1]


def test_processes_share_the_rows_of_a_batch(conversations):
    whole = PackedConversations(conversations, 4, 64, seed=1)
    shares = [whole.shared(rank, 2)[1].inputs for rank in range(2)]
    assert sorted(row.tolist() for share in shares for row in share) == sorted(whole[1].inputs.tolist())
    assert whole.named(1).endswith("of the train split")
