"""The table of votes on disk, and the patterns in it."""

from __future__ import annotations

import numpy as np
import pytest

from aictl.data.label.votes import NPY, VoteTable, number_type, patterns, save


@pytest.fixture
def some() -> np.ndarray:
    return np.random.default_rng(0).integers(-1, 3, (500, 4)).astype(np.int8)


def test_a_killed_run_goes_on_after_the_last_whole_batch(tmp_path, some):
    table = VoteTable(tmp_path, 4, 3)
    table.append(some[:200], {"one": {"truncated": 2}})
    with (tmp_path / "votes.rows").open("ab") as file:
        file.write(b"half of a batch that a kill cut short")
    again = VoteTable(tmp_path, 4, 3)
    assert again.rows == 200 and np.array_equal(again.read(), some[:200])
    again.append(some[200:], {"one": {"truncated": 1}, "two": {"declined": 5}})
    assert np.array_equal(VoteTable(tmp_path, 4, 3).read(), some)
    assert again.facts == {"one": {"truncated": 3}, "two": {"declined": 5}}


def test_rows_without_their_progress_do_not_count(tmp_path, some):
    VoteTable(tmp_path, 4, 3).append(some, {})
    (tmp_path / "votes.json").unlink()
    assert VoteTable(tmp_path, 4, 3).rows == 0


def test_numbers_are_small_and_large_enough(tmp_path):
    assert number_type(127) == np.int8 and number_type(128) == np.int16
    table = VoteTable(tmp_path, 1, 1000)
    table.append(np.array([[999], [-1]], np.int16), {})
    assert table.read().tolist() == [[999], [-1]]


def test_saved_votes_are_a_plain_npy(tmp_path, some, monkeypatch):
    monkeypatch.setattr("aictl.data.label.votes._BLOCK_ROWS", 77)
    save(some, tmp_path)
    assert np.array_equal(np.load(tmp_path / NPY, allow_pickle=False), some)


def test_patterns_stand_for_every_document(some, monkeypatch):
    known = np.where(np.arange(len(some)) % 50 == 0, 1, -1).astype(np.int16)
    whole = patterns(some, known)
    assert np.array_equal(whole.votes[whole.of], some) and np.array_equal(whole.known[whole.of], known)
    assert np.array_equal(whole.counts, np.bincount(whole.of))
    monkeypatch.setattr("aictl.data.label.votes._BLOCK_ROWS", 7)
    for one, other in zip(patterns(some, known), whole, strict=True):
        assert np.array_equal(one, other)


def test_patterns_of_conflict_and_of_silence():
    votes = np.array([[-1, -1], [0, -1], [0, 0], [0, 2], [-1, 2]], np.int8)
    found = patterns(votes, np.full(5, -1, np.int16))
    assert found.covered[found.of].tolist() == [False, True, True, True, True]
    assert found.in_conflict[found.of].tolist() == [False, False, False, True, False]


def test_no_documents():
    found = patterns(np.zeros((0, 3), np.int8), np.zeros(0, np.int16))
    assert len(found.votes) == 0 and len(found.of) == 0
