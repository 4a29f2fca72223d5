from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from aictl.train.tokenizer import BEGIN, END, PAD, encode, learn, save

TEXTS = ["The cat sees the mouse.\n" * 30, "Größe, 你好, 🙂 and\ttabs"]


def test_every_text_survives_the_round_trip():
    tokenizer = learn(TEXTS, 400)
    for text in [*TEXTS, "unseen ÿ \x00 ☃", " leading and trailing ", "<|end_of_text|> as text"]:
        (ids,) = encode(tokenizer, [text])
        assert ids[0] == tokenizer.token_to_id(BEGIN)
        assert ids[-1] == tokenizer.token_to_id(END)
        assert ids.count(tokenizer.token_to_id(END)) == 1
        assert tokenizer.decode(ids) == text


def test_learning_twice_gives_the_same_tokenizer():
    assert learn(TEXTS, 350).to_str() == learn(iter(TEXTS), 350).to_str()


def test_the_vocabulary_is_no_larger_than_asked_for_or_than_the_text_gives():
    assert learn(TEXTS, 270).get_vocab_size() == 270
    assert learn(TEXTS, 5000).get_vocab_size() < 400


def test_transformers_loads_it_with_its_special_tokens(tmp_path):
    tokenizer = learn(TEXTS, 300)
    list(encode(tokenizer, TEXTS))
    save(tokenizer, tmp_path, 128)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert (loaded.bos_token, loaded.eos_token, loaded.pad_token) == (BEGIN, END, PAD)
    assert loaded.model_max_length == 128
    assert loaded("The cat")["input_ids"] == tokenizer.encode("The cat").ids
    assert loaded.decode(loaded("Größe 你好")["input_ids"], skip_special_tokens=True) == "Größe 你好"
    assert loaded(END, add_special_tokens=False)["input_ids"] == [loaded.eos_token_id]


@pytest.mark.parametrize("count", [1, 700])
def test_documents_come_back_in_order_however_many(count):
    tokenizer = learn(TEXTS, 300)
    texts = [f"document {number}" for number in range(count)]
    assert [tokenizer.decode(ids) for ids in encode(tokenizer, texts)] == texts
