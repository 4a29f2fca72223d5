"""A tokenizer is learnt from one half of a dataset and measured on the other."""

from __future__ import annotations

import json

import pytest
from transformers import AutoTokenizer

from aictl.core.errors import BadInput, BadRequest, WrongKind
from aictl.core.events import Events, Noted, silent
from aictl.data.tokenizer.spec import MAX_BYTES, TokenizerSpec
from aictl.data.tokenizer.train import train
from aictl.tokenizing import fast_learning

SENTENCE = "The quick brown fox jumps over the lazy dog, number {}. Größe 🙂\n"
TRAIN = ["".join(SENTENCE.format(number) for number in range(start, start + 50)) for start in range(0, 1000, 50)]
HELD_OUT = [SENTENCE.format(number) for number in (1, 77, 12345)]


@pytest.fixture
def dataset(write_dataset):
    def write(name="texts", **splits):
        splits = splits or {"train": TRAIN, "validation": HELD_OUT}
        return write_dataset(name, "text", {split: [{"text": text} for text in splits[split]] for split in splits})

    return write


def test_the_folder_is_one_that_transformers_loads(dataset, tmp_path):
    made = train(dataset(), TokenizerSpec(vocab_size=320, special=["<|user|>"]), tmp_path, events=silent)
    made.check()
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert len(loaded) == made.metrics["vocabulary"] == 320
    assert made.metrics["merges"] == 320 - 256 - 4
    assert loaded.decode(loaded(SENTENCE)["input_ids"], skip_special_tokens=True) == SENTENCE
    assert loaded.convert_tokens_to_ids("<|user|>") == 3


def test_what_is_held_out_says_how_good_it_is(dataset, tmp_path):
    sizes = {}
    for vocab_size in (259, 290, 330):
        folder = tmp_path / f"made-{vocab_size}"
        folder.mkdir()
        made = train(dataset(str(vocab_size)), TokenizerSpec(vocab_size=vocab_size), folder, events=silent)
        held_out = made.metrics["held_out"]
        assert held_out["documents"] == 3
        assert held_out["bytes"] == sum(len(text.encode()) for text in HELD_OUT)
        loaded = AutoTokenizer.from_pretrained(folder)
        tokens = sum(len(loaded(text, add_special_tokens=False)["input_ids"]) for text in HELD_OUT)
        assert held_out["tokens"] == tokens
        sizes[vocab_size] = held_out["bytes_per_token"]
        json.dumps(made.metrics, allow_nan=False)
    assert sizes[259] == 1 < sizes[290] < sizes[330]


def test_less_text_than_patterns_is_said(dataset, tmp_path):
    told: list[object] = []
    made = train(dataset(), TokenizerSpec(vocab_size=50_000), tmp_path, events=Events(told.append))
    notes = [event.message for event in told if isinstance(event, Noted)]
    assert made.metrics["vocabulary"] < 2000
    assert any("no pattern left after" in note for note in notes)


def test_without_held_out_text_it_is_not_measured_and_says_so(dataset, tmp_path):
    told: list[object] = []
    made = train(dataset(train=TRAIN), TokenizerSpec(vocab_size=300), tmp_path, events=Events(told.append))
    assert made.metrics["held_out"] is None
    assert any(isinstance(event, Noted) and "not measured" in event.message for event in told)


def test_a_dataset_without_text_is_refused(dataset, write_dataset, tmp_path):
    with pytest.raises(BadInput, match="no text to learn"):
        train(dataset(train=[], validation=HELD_OUT), TokenizerSpec(), tmp_path, events=silent)
    chats = write_dataset("chats", "chat", {"train": [{"messages": []}]})
    with pytest.raises(WrongKind, match="format chat"):
        train(chats, TokenizerSpec(), tmp_path, events=silent)


def test_a_vocabulary_without_room_for_every_byte_is_refused(dataset, tmp_path):
    with pytest.raises(BadRequest, match="no room for 256 bytes and 3 special tokens"):
        train(dataset(), TokenizerSpec(vocab_size=258), tmp_path, events=silent)


def test_the_most_that_is_learnt_from_is_what_no_counter_overflows_on():
    assert MAX_BYTES == fast_learning.MOST_BYTES
