from __future__ import annotations

import numpy as np

from aictl.tokenizing.encoded import joined
from aictl.tokenizing.shards import Shard, Tokens, token_type
from aictl.training.tokens import PackedBatches, held_out


def test_targets_are_the_following_tokens_and_an_epoch_shows_each_window_once():
    tokens = np.arange(1000, dtype=np.uint16)
    batches = PackedBatches(tokens, sequences=3, length=10, seed=0)
    firsts = []
    for position in range(98 // 3):
        batch = batches[position]
        assert batch.inputs.shape == (3, 10)
        assert batch.dense
        assert (batch.targets == batch.inputs + 1).all()
        firsts += batch.inputs[:, 0].tolist()
    assert len(set(firsts)) == len(firsts)
    assert len({first % 10 for first in firsts}) == 1  # one cut for the whole epoch


def test_the_stream_can_be_entered_anywhere_and_differs_between_epochs_and_seeds():
    tokens = np.arange(200, dtype=np.uint16)
    one, other = PackedBatches(tokens, 2, 16, seed=1), PackedBatches(tokens, 2, 16, seed=1)
    there = [one[position].inputs.tolist() for position in range(20)]
    assert [other[position].inputs.tolist() for position in reversed(range(20))] == there[::-1]
    assert there[:5] != there[5:10]
    assert PackedBatches(tokens, 2, 16, seed=2)[0].inputs.tolist() != there[0]


def test_the_smallest_corpus_is_one_window():
    batch = PackedBatches(np.arange(17, dtype=np.uint16), 2, 16, seed=1)[5]
    assert batch.inputs.tolist() == [list(range(16))] * 2


def test_held_out_batches_cover_the_start_in_order():
    batches = held_out(np.arange(100, dtype=np.uint16), sequences=2, length=8, most=50)
    assert [batch.inputs.shape[0] for batch in batches] == [2, 2, 2]
    assert np.concatenate([batch.inputs.numpy().ravel() for batch in batches]).tolist() == list(range(48))


def test_a_short_validation_text_is_one_short_window():
    (batch,) = held_out(np.arange(6, dtype=np.uint16), sequences=2, length=8, most=50)
    assert batch.inputs.tolist() == [[0, 1, 2, 3, 4]]


def test_windows_are_the_same_however_many_files_the_tokens_are_in():
    tokens = np.arange(500, dtype=np.uint16)
    pieces = joined([tokens[:90].astype(np.uint32), tokens[90:91].astype(np.uint32), tokens[91:].astype(np.uint32)])
    shards = [Shard(pieces.document(number), np.array([1])) for number in range(3)]
    split = Tokens(shards, token_type(500))
    one, other = PackedBatches(tokens, 2, 16, seed=3), PackedBatches(split, 2, 16, seed=3)
    assert [one[place].inputs.tolist() for place in range(30)] == [other[place].inputs.tolist() for place in range(30)]
    first, second = held_out(tokens, 2, 8, 200), held_out(split, 2, 8, 200)
    assert [batch.targets.tolist() for batch in first] == [batch.targets.tolist() for batch in second]


def test_where_documents_begin_is_said_if_their_end_is_known():
    tokens = np.array([5, 6, 1, 7, 8, 9, 1, 4, 4, 4, 1, 5, 5] * 3, dtype=np.uint16)
    batch = held_out(tokens, 2, 6, most=12, end=1)[0]
    assert batch.starts.tolist() == [[0, 0, 0, 3, 3, 3], [0, 1, 1, 1, 1, 5]]
    assert held_out(tokens, 2, 6, most=12)[0].starts is None
    window = PackedBatches(tokens, 2, 6, seed=0, end=1)[3]
    ends = (window.inputs[:, :-1] == 1).nonzero()
    assert all(window.starts[row, place + 1] == place + 1 for row, place in ends.tolist())
