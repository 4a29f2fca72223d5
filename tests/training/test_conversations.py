from __future__ import annotations

import pytest

from aictl.training.batches import IGNORED
from aictl.training.conversations import ConversationBatches, held_out, read, write
from aictl.training.dialogue import Dialogue


def dialogue(length: int) -> Dialogue:
    return Dialogue(
        [100 * length + place for place in range(length)], [place >= length // 2 for place in range(length)]
    )


@pytest.fixture
def conversations(tmp_path):
    write(tmp_path / "train.conversations", (dialogue(length) for length in range(4, 24)))
    return read(tmp_path / "train.conversations")


def test_a_batch_has_each_learnt_token_as_the_target_of_the_one_before(conversations):
    batch = conversations.batch([0, 2])
    assert batch.inputs.tolist() == [[400, 401, 402, 0, 0], [600, 601, 602, 603, 604]]
    assert batch.targets.tolist() == [[IGNORED, 402, 403, IGNORED, IGNORED], [IGNORED, IGNORED, 603, 604, 605]]
    assert batch.counted == 5
    assert not batch.dense


def test_an_epoch_shows_every_conversation_once_in_batches_of_like_length(conversations):
    batches = ConversationBatches(conversations, 4, seed=0)
    firsts, padding = [], 0
    for position in range(5):
        batch = batches[position]
        firsts += batch.inputs[:, 0].tolist()
        padding += int((batch.inputs == 0).sum())
    assert sorted(firsts) == [100 * length for length in range(4, 24)]
    assert padding <= 5 * (0 + 1 + 2 + 3)


def test_the_stream_can_be_entered_anywhere_and_changes_by_epoch(conversations):
    one, other = ConversationBatches(conversations, 4, seed=1), ConversationBatches(conversations, 4, seed=1)
    there = [one[position].inputs.tolist() for position in range(10)]
    assert [other[position].inputs.tolist() for position in reversed(range(10))] == there[::-1]
    assert there[:5] != there[5:]


def test_fewer_conversations_than_a_batch_holds_are_one_batch(conversations):
    assert ConversationBatches(conversations, 64, seed=0)[3].inputs.shape[0] == 20


def test_held_out_batches_are_the_first_conversations(conversations):
    batches = held_out(conversations, size=4, most=6)
    assert [batch.inputs.shape[0] for batch in batches] == [4, 2]
    assert sum(batch.counted for batch in batches) == sum(sum(dialogue(length).learnt) for length in range(4, 10))


def test_no_conversations_are_written_and_read(tmp_path):
    assert len(write(tmp_path / "none.conversations", [])) == 0
    assert len(read(tmp_path / "none.conversations")) == 0
