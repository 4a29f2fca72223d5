"""Byte-level BPE: every text comes back, and a tokenizer is its merges."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from aictl.core.errors import BadRequest
from aictl.tokenizing.byte_bpe import (
    BEGIN,
    END,
    LETTERS,
    PAD,
    ROLES,
    assembled,
    learn,
    merges_of,
    special_tokens,
    spelled,
    unspelled,
)
from aictl.tokenizing.folder import write, write_config

TEXTS = ["The cat sees the mouse.\n" * 30, "Größe, 你好, 🙂 and\ttabs"]


def test_every_text_survives_the_round_trip(hostile):
    tokenizer = learn(TEXTS, 400)
    tokenizer.encode_special_tokens = True
    for text in [*TEXTS, *hostile]:
        ids = tokenizer.encode(text).ids
        assert ids[0] == tokenizer.token_to_id(BEGIN)
        assert tokenizer.decode(ids[1:], skip_special_tokens=False) == text


def test_learning_twice_gives_the_same_tokenizer():
    assert learn(TEXTS, 350).to_str() == learn(iter(TEXTS), 350).to_str()


def test_the_vocabulary_is_no_larger_than_asked_for_or_than_the_text_gives():
    assert learn(TEXTS, 270).get_vocab_size() == 270
    assert learn(TEXTS, 5000).get_vocab_size() < 400
    assert learn(TEXTS, 259).get_vocab_size() == 259


def test_what_has_no_room_is_refused_with_the_smallest_that_has():
    with pytest.raises(BadRequest, match="256 bytes and 3 special tokens") as raised:
        learn(TEXTS, 258)
    assert "--vocab-size 259" in raised.value.cure
    with pytest.raises(BadRequest) as raised:
        special_tokens(259, ["<|user|>"])
    assert "--vocab-size 260" in raised.value.cure


@pytest.mark.parametrize("more", [["<|user|>", "<|user|>"], [END], [""]])
def test_special_tokens_are_each_another(more):
    with pytest.raises(BadRequest, match="special token"):
        special_tokens(1000, more)


def test_transformers_loads_it_with_its_special_tokens(tmp_path):
    tokenizer = learn(TEXTS, 300, ["<|user|>"])
    write(tokenizer, tmp_path, ROLES)
    write_config({"tokenizer_class": "PreTrainedTokenizerFast", **ROLES, "model_max_length": 128}, tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert (loaded.bos_token, loaded.eos_token, loaded.pad_token) == (BEGIN, END, PAD)
    assert loaded.model_max_length == 128
    assert loaded("The cat")["input_ids"] == tokenizer.encode("The cat").ids
    assert loaded.decode(loaded("Größe 你好")["input_ids"], skip_special_tokens=True) == "Größe 你好"
    assert loaded(END, add_special_tokens=False)["input_ids"] == [loaded.eos_token_id]
    assert loaded("<|user|>", add_special_tokens=False)["input_ids"] == [tokenizer.token_to_id("<|user|>")]


@pytest.mark.parametrize("more", [[], ["<|user|>", "<|assistant|>"]])
def test_a_tokenizer_can_be_put_together_from_its_merges(real, more):
    learnt = learn(real[:20], 1200, more)
    assert assembled(merges_of(learnt), special_tokens(1200, more)).to_str() == learnt.to_str()


def test_letters_spell_bytes_as_the_library_does():
    library = Tokenizer.from_str(learn([], 259).to_str())
    for byte in range(256):
        assert unspelled(spelled(bytes([byte]))) == bytes([byte])
    text = "aé🙂 \n"
    assert "".join(library.encode(text, add_special_tokens=False).tokens) == spelled(text.encode())
    assert len(set(LETTERS)) == 256
