"""A tokenizer's files are what they promise, or damaged."""

from __future__ import annotations

import json

import pytest

from aictl.artifacts.tokenizer import Tokenizer, special_tokens
from aictl.core.errors import Damaged

DESCRIPTION = {
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []},
    "added_tokens": [{"id": 2, "content": "<end>", "special": True}],
}


def tokenizer(folder, description=DESCRIPTION, config=None) -> Tokenizer:
    (folder / "tokenizer.json").write_text(json.dumps(description))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<end>"} if config is None else config))
    return Tokenizer(folder)


def test_its_tokens_are_those_of_the_model_and_those_that_were_added(tmp_path):
    made = tokenizer(tmp_path)
    made.check()
    assert made.tokens == {"a", "b", "<end>"}


def test_a_unigram_model_lists_its_tokens(tmp_path):
    model = {"type": "Unigram", "vocab": [["a", -1.5], ["<end>", 0.0]]}
    made = tokenizer(tmp_path, {"model": model})
    made.check()
    assert made.tokens == {"a", "<end>"}


@pytest.mark.parametrize(
    ("description", "config", "why"),
    [
        ({"model": {"type": "BPE", "vocab": {}}}, None, "empty vocabulary"),
        ({"model": {"type": "BPE"}}, None, "no tokenizer"),
        ({"model": 3}, None, "no tokenizer"),
        ([], None, "no JSON object"),
        (DESCRIPTION, {}, "names no end token"),
        (DESCRIPTION, {"eos_token": "<nil>"}, "'<nil>' as end token, which is not in"),
        (DESCRIPTION, [], "no JSON object"),
    ],
)
def test_what_is_none_is_damaged(tmp_path, description, config, why):
    with pytest.raises(Damaged, match=why):
        tokenizer(tmp_path, description, config).check()


def test_a_missing_file_is_damage(tmp_path):
    tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()
    with pytest.raises(Damaged, match=r"tokenizer_config\.json"):
        Tokenizer(tmp_path).check()


def test_special_tokens_are_named_or_described():
    config = {"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": False}, "pad_token": None, "other": "x"}
    assert special_tokens(config) == {"bos_token": "<s>", "eos_token": "</s>"}
