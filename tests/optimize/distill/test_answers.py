"""Answers that were written before a kill are not written again, and half of one is not taken for one."""

from __future__ import annotations

import json

import pytest

from aictl.core.errors import BadInput
from aictl.core.events import Events, Noted, silent
from aictl.optimize.distill.answers import write_answers


def test_a_run_that_was_killed_writes_only_what_is_missing(chatting, chats, tmp_path):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    whole.mkdir()
    resumed.mkdir()
    once = write_answers(chatting, chats, 16, whole, silent)
    lines = (whole / "answers.jsonl").read_text().splitlines(keepends=True)
    kept = json.dumps("as it was written before") + "\n"
    (resumed / "answers.jsonl").write_text(kept + "".join(lines[1:3]) + lines[3][:2])
    twice = write_answers(chatting, chats, 16, resumed, silent)
    assert (resumed / "answers.jsonl").read_text() == kept + "".join(lines[1:])
    given, found = (list(one.documents("train")) for one in (once, twice))
    assert found[0]["messages"][-1]["content"] == "as it was written before"
    assert found[1:] == given[1:]
    assert list(twice.documents("validation")) == list(chats.documents("validation"))


def test_an_answer_that_comes_to_no_end_is_set_aside(chatting, chats, tmp_path):
    told = []
    events = Events(lambda event: told.append(event.message) if isinstance(event, Noted) else None)
    whole = write_answers(chatting, chats, 16, tmp_path, events)
    assert not told
    assert [one["messages"][-1]["content"] for one in whole.documents("train")] == [
        one["messages"][-1]["content"] for one in chats.documents("train")
    ]
    (tmp_path / "short").mkdir()
    with pytest.raises(BadInput, match="answered nothing"):
        write_answers(chatting, chats, 2, tmp_path / "short", events)


def test_a_teacher_without_an_answer_is_no_teacher(chatting, write_dataset, tmp_path):
    silence = {
        "messages": [{"role": "user", "content": "What colour is sky? " * 30}, {"role": "assistant", "content": "?"}]
    }
    dataset = write_dataset("long", "chat", {"train": [silence], "validation": []})
    with pytest.raises(BadInput, match="answered nothing"):
        write_answers(chatting, dataset, 6, tmp_path, silent)
