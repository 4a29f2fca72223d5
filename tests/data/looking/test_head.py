"""The first documents, as they stand."""

from __future__ import annotations

import pytest

from aictl.core.errors import BadRequest, Damaged
from aictl.data.looking.head import head
from aictl.data.looking.spec import HeadSpec


def test_the_first_so_many_or_all(text_dataset):
    dataset = text_dataset({"train": [f"text {number}" for number in range(30)], "validation": ["held out"]})
    shown = list(head(dataset, HeadSpec(count=3)).items)
    assert [one.value for one in shown] == list(dataset.documents())[:3]
    assert [one.title for one in shown] == ["train.txt:0", "train.txt:1", "train.txt:2"]
    assert len(list(head(dataset, HeadSpec(count=100)).items)) == 30
    assert [one.value["text"] for one in head(dataset, HeadSpec(split="validation")).items] == ["held out"]
    with pytest.raises(BadRequest, match="no split 'test'"):
        head(dataset, HeadSpec(split="test"))


def test_it_goes_on_in_the_next_shard_and_stops_at_a_broken_line(sharded, line):
    dataset = sharded([[line("a")], [line("b"), b"broken"]])
    assert [one.value["text"] for one in head(dataset, HeadSpec(count=2)).items] == ["a", "b"]
    with pytest.raises(Damaged, match="train-00001.jsonl, line 2"):
        list(head(dataset, HeadSpec(count=3)).items)


def test_what_is_said_of_a_document(text_dataset, write_dataset):
    labelled = {"text": "good", "label": "a b", "confidence": 0.123456, "none": None}
    (shown,) = head(text_dataset({"train": [labelled]}), HeadSpec()).items
    assert shown.about == "4 characters · label: a b · confidence: 0.123"
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
    chats = write_dataset("chats", "chat", {"train": [{"messages": turns, "source": "c:1"}]})
    (shown,) = head(chats, HeadSpec()).items
    assert shown.about == "2 turns · 7 characters"
    assert [(one.label, one.text) for one in shown.passages] == [("user", "hello"), ("assistant", "hi")]
