"""What llama.cpp is told of a tokenizer, and which ones it cannot be told of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from gguf import TokenType
from tests.export.gguf.conftest import ROWS, SPLITTERS, TEMPLATE, exported

from aictl.core.errors import BadInput, WorkFailed
from aictl.export.gguf import parity, tokens
from aictl.inference.tokenizer import ModelTokenizer

Change = Callable[[dict[str, Any]], None]


def test_special_tokens_template_and_numbers_without_a_token(write_model):
    found = tokens.read(write_model("llama").folder, ROWS)
    assert len(found.tokens) == len(found.kinds) == ROWS
    assert found.kinds[:3] == [TokenType.CONTROL] * 3 and found.kinds[3] == TokenType.NORMAL
    assert found.tokens[-1] == f"[PAD{ROWS - 1}]" and found.kinds[-1] == TokenType.UNUSED
    assert (found.begin, found.ends, found.pad, found.begins, found.closes) == (0, [1], 2, True, False)
    assert found.template == TEMPLATE
    assert all(merge.count(" ") == 1 for merge in found.merges)


@pytest.mark.parametrize("name", SPLITTERS)
def test_the_way_words_are_split_has_its_name(split_model, name):
    assert tokens.read(split_model(name).folder, ROWS).pre == name


def test_every_end_of_an_answer_is_told(changed):
    folder = changed(lambda values: values.update(eos_token_id=[2, 1, 7]), "config.json")
    (folder / "generation_config.json").unlink()
    assert tokens.read(folder, ROWS).ends == [1, 2, 7]


def of(name: str, value: Any) -> Change:
    return lambda values: values.update({name: value})


def in_model(name: str, value: Any) -> Change:
    return lambda values: values["model"].update({name: value})


def unreachable(values: dict[str, Any]) -> None:
    """A token to which no merge leads, which is taken whole all the same."""
    values["model"]["vocab"]["qqq"] = len(values["model"]["vocab"])
    values["model"]["ignore_merges"] = True


def stripping(values: dict[str, Any]) -> None:
    values["added_tokens"][2]["lstrip"] = True


REFUSED = {
    "unigram": (lambda values: values.update(model=UNIGRAM), "is a Unigram model, and byte-level BPE is written"),
    "sentencepiece": (in_model("byte_fallback", True), "is BPE over characters, as SentencePiece has it, and"),
    "own pattern": (
        of("pre_tokenizer", {"type": "Whitespace"}),
        "splits words in a way for which llama.cpp has no name",
    ),
    "prefix space": (
        of("pre_tokenizer", {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}),
        "splits words in a way",
    ),
    "lower case": (of("normalizer", {"type": "Lowercase"}), r"changes texts \(Lowercase\) in a way"),
    "no merges": (in_model("merges", []), "has no merges"),
    "whole words": (unreachable, "has tokens that no merge leads to, such as 'qqq'"),
    "spaces": (stripping, "which takes the spaces beside it"),
}
UNIGRAM = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0]], "byte_fallback": False}


@pytest.mark.parametrize("case", REFUSED)
def test_tokenizers_that_llama_cpp_cannot_follow_are_refused(changed, case):
    change, says = REFUSED[case]
    with pytest.raises(BadInput, match=says):
        tokens.read(changed(change), ROWS)


def test_one_that_ends_nowhere_is_refused(changed):
    folder = changed(lambda values: values.pop("eos_token"), "tokenizer_config.json")
    for name in ("config.json", "generation_config.json"):
        values = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**values, "eos_token_id": None}))
    with pytest.raises(BadInput, match="names no token that ends a text"):
        tokens.read(folder, ROWS)


def test_another_model_s_tokenizer_is_refused(write_model):
    with pytest.raises(BadInput, match="has tokens up to number [0-9]+ and a network for 300"):
        tokens.read(write_model("llama").folder, 300)


def test_a_file_that_cuts_otherwise_is_noticed(split_model, write_model, tmp_path):
    """As if the wrong name had been told."""
    made = exported(write_model("llama"), tmp_path, type="f32")
    other = ModelTokenizer(split_model("qwen2").folder)
    assert parity.require_same_tokens(made.model_path, other, ["of France"], []) == 3
    with pytest.raises(WorkFailed, match="cuts 'in 1812' otherwise from token"):
        parity.require_same_tokens(made.model_path, other, ["in 1812"], [])
