"""Tokens become text one by one without breaking a character."""

from __future__ import annotations

import shutil

import pytest
from tokenizers import Tokenizer, processors

from aictl.core.errors import BadRequest, Damaged, NotFound
from aictl.inference.tokenizer import ModelTokenizer

TEXT = "naïve 🙂 日本語 – ok"


@pytest.fixture
def tokenizer(chat_model) -> ModelTokenizer:
    return ModelTokenizer(chat_model.folder)  # every token is one byte


def test_pieces_are_whole_characters_and_join_to_the_text(tokenizer):
    stream = tokenizer.stream()
    pieces = [stream.push(token) for token in tokenizer.encode(TEXT)]
    assert [piece for piece in pieces if piece] == list(TEXT)
    assert stream.rest() == ""


def test_a_character_that_was_cut_off_comes_out_as_a_replacement(tokenizer):
    ids = tokenizer.encode("ok 🙂")[:-1]
    stream = tokenizer.stream()
    assert "".join(stream.push(token) for token in ids) == "ok "
    assert stream.rest() == "\ufffd"
    assert tokenizer.decode(ids) == "ok \ufffd"


def test_bytes_that_never_become_a_character_are_not_lost(tokenizer):
    ids = [*tokenizer.encode("a"), *tokenizer.encode("é")[1:], *tokenizer.encode("b")]
    stream = tokenizer.stream()
    text = "".join(stream.push(token) for token in ids) + stream.rest()
    assert text == tokenizer.decode(ids) == "a\ufffdb"


def test_the_begin_token_is_put_first_once(chat_model, tmp_path):
    import json

    shutil.copytree(chat_model.folder, tmp_path, dirs_exist_ok=True)
    library = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    library.add_special_tokens(["<s>"])
    begin = library.token_to_id("<s>")
    library.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", begin)])
    library.save(str(tmp_path / "tokenizer.json"))
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config | {"bos_token": "<s>"}))
    tokenizer = ModelTokenizer(tmp_path)
    assert tokenizer.encode("hi")[0] == begin
    assert tokenizer.encode("<s>hi") == tokenizer.encode("hi")


def test_end_tokens_come_from_the_generation_settings_first(chat_model, tmp_path):
    shutil.copytree(chat_model.folder, tmp_path, dirs_exist_ok=True)
    assert ModelTokenizer(tmp_path).end_ids == frozenset()
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [3, 5]}')
    assert ModelTokenizer(tmp_path).end_ids == {3, 5}


def test_a_missing_or_broken_tokenizer_says_so(tmp_path):
    with pytest.raises(NotFound, match=r"tokenizer\.json"):
        ModelTokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0"')
    with pytest.raises(Damaged, match=r"tokenizer\.json"):
        ModelTokenizer(tmp_path)


def test_without_a_template_a_conversation_is_a_bad_request(chat_model, tmp_path):
    shutil.copyfile(chat_model.folder / "tokenizer.json", tmp_path / "tokenizer.json")
    with pytest.raises(BadRequest, match="no chat template"):
        ModelTokenizer(tmp_path).render_chat([{"role": "user", "content": "hi"}])
