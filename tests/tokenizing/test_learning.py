"""What is learnt fast is what is learnt slowly, or it is learnt slowly."""

from __future__ import annotations

import json
import random

import pytest

from aictl.core.errors import BadInput, BadRequest, Damaged
from aictl.tokenizing import fast_learning
from aictl.tokenizing.byte_bpe import learn
from aictl.tokenizing.learning import learn_from, spread

gigatoken = pytest.importorskip("gigatoken", reason="gigatoken is not installed: pip install 'aictl[fast-tokenizing]'")


@pytest.fixture(autouse=True)
def however_little_text(monkeypatch):
    monkeypatch.setattr(fast_learning, "WORTH_BYTES", 0)


@pytest.fixture
def was_fast(monkeypatch):
    """Whether the merges came from gigatoken."""
    found = []
    learnt = fast_learning._learnt

    def watched(*arguments):
        merges = learnt(*arguments)
        found.append(merges)
        return merges

    monkeypatch.setattr(fast_learning, "_learnt", watched)
    return lambda: bool(found)


@pytest.mark.parametrize("shards", [1, 3])
def test_the_same_tokenizer_is_learnt_from_real_text(real, write_shards, events, was_fast, shards):
    paths = write_shards(real, shards)
    texts = [text for number in range(shards) for text in real[number::shards]]
    made = learn_from(paths, 6000, ["<|user|>"], events=events)
    assert was_fast()
    assert made.to_str() == learn(texts, 6000, ["<|user|>"]).to_str()


def test_the_same_tokenizer_is_learnt_from_hostile_text(hostile, write_shards, events, was_fast):
    made = learn_from(write_shards(hostile * 2), 800, events=events)
    assert was_fast()
    assert made.to_str() == learn(hostile * 2, 800).to_str()


@pytest.mark.parametrize("seed", range(8))
def test_where_patterns_run_out_learning_stops_where_the_library_does(write_shards, events, seed):
    chance = random.Random(seed)
    letters = chance.sample("ab cé漢🙂1'\n", chance.randint(2, 6))
    texts = ["".join(chance.choice(letters) for _ in range(chance.randint(0, 300))) for _ in range(12)]
    size = chance.choice([260, 280, 400, 3000])
    assert learn_from(write_shards(["x", *texts]), size, events=events).to_str() == learn(["x", *texts], size).to_str()


def test_a_special_token_that_is_a_word_keeps_its_own_id(write_shards, events):
    texts = ["pad the pad with a pad " * 40] * 10
    made = learn_from(write_shards(texts), 270, ["pad"], events=events)
    assert made.to_str() == learn(texts, 270, ["pad"]).to_str()


def test_without_the_library_the_same_is_learnt(real, write_shards, events, without_gigatoken, was_fast, notes):
    made = learn_from(write_shards(real[:30]), 600, events=events)
    assert not was_fast() and "not installed" in notes()
    assert made.to_str() == learn(real[:30], 600).to_str()


def test_a_library_that_learns_something_else_is_not_believed(real, write_shards, events, monkeypatch, was_fast, notes):
    run = fast_learning._run

    def wrong(jobs, place):
        run(jobs, place)
        path = place / "0.json"
        merges = json.loads(path.read_text())
        path.write_text(json.dumps([merges[1], merges[0], *merges[2:]]))

    monkeypatch.setattr(fast_learning, "_run", wrong)
    made = learn_from(write_shards(real[:30]), 600, events=events)
    assert not was_fast() and "something else from a sample" in notes()
    assert made.to_str() == learn(real[:30], 600).to_str()


def test_a_library_that_fails_is_gone_past(real, write_shards, events, monkeypatch, was_fast, notes):
    monkeypatch.setattr(fast_learning.sys, "executable", "/bin/false")
    made = learn_from(write_shards(real[:30]), 600, events=events)
    assert not was_fast() and "gigatoken failed" in notes()
    assert made.to_str() == learn(real[:30], 600).to_str()


def test_no_text_is_refused(write_shards, events):
    for shards in ([], write_shards([]), write_shards(["", ""])):
        with pytest.raises(BadInput, match="no text to learn"):
            learn_from(shards, 500, events=events)
    with pytest.raises(BadRequest, match="no room"):
        learn_from([], 258, events=events)


def test_a_broken_line_is_named(real, write_shards, events):
    (path,) = write_shards(real[:30])
    path.write_text(path.read_text("utf-8") + '{"text": "broken', "utf-8")
    with pytest.raises(Damaged, match="line 31"):
        learn_from([path], 600, events=events)


def test_shards_are_taken_evenly_up_to_a_size(tmp_path):
    shards = [tmp_path / f"{number:02}" for number in range(20)]
    for path in shards:
        path.write_bytes(b"x" * 100)
    assert spread(shards, 10**6) == shards
    assert [path.name for path in spread(shards, 500)] == ["00", "04", "08", "12", "16"]
    assert sum(path.stat().st_size for path in spread(shards, 777)) <= 777
    assert spread(shards, 1) == shards[:1] and spread([], 5) == []
