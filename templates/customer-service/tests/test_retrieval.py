"""Passages and their ranking."""

import pytest

from app import retrieval, settings
from app.retrieval import PASSAGE_CHARS, Index, Passage, split, words

SHOP = [
    Passage("You can return shoes within thirty days.", "returns"),
    Passage("Orders are shipped within two days by bicycle.", "shipping"),
    Passage("Gift cards never expire and can be used for any order.", "gifts"),
]


def test_the_passage_with_the_questions_words_comes_first():
    found = Index(SHOP).search("How long may I return a shoe?", 2)
    assert found[0].source == "returns"


def test_a_rare_word_weighs_more_than_a_common_one():
    many = [Passage(f"order number {n}", "orders") for n in range(50)]
    assert Index([*many, *SHOP]).search("order by bicycle", 1)[0].source == "shipping"


def test_nothing_is_found_where_no_word_occurs():
    index = Index(SHOP)
    assert index.search("quantum chromodynamics", 3) == []
    assert index.search("what is it, please?", 3) == []
    assert Index([]).search("shoes", 3) == []


def test_the_source_is_searched_too():
    assert Index(SHOP).search("shipping", 1)[0].source == "shipping"


def test_passages_hold_the_whole_text_and_keep_to_their_length():
    text = "\n\n".join(["one two three " * 20, "x" * 2000, "a line\n" * 300, "the end"])
    passages = list(split(text, "here"))
    assert max(len(one.text) for one in passages) <= PASSAGE_CHARS
    assert words(" ".join(one.text for one in passages))[-1] == "end"
    assert "".join("".join(one.text.split()) for one in passages) == "".join(text.split())
    assert all(one.source == "here" for one in passages)


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "documents.jsonl"
    path.write_text('{"text": "a"}\n{"text": \n')
    with pytest.raises(ValueError, match="line 2"):
        retrieval.read(path)


def test_the_apps_own_documents_can_be_searched(own_question):
    assert retrieval.read(settings.DOCUMENTS).search(own_question, 3)
