"""Finding: the same documents as a look at every text would find, and what is shown of them."""

from __future__ import annotations

import json
import random
import re

import pytest

from aictl.core.errors import BadRequest, Damaged
from aictl.core.events import silent
from aictl.data.looking.find.find import excerpts, find
from aictl.data.looking.find.pattern import MOST_PLACES, Pattern
from aictl.data.looking.shards import blocks
from aictl.data.looking.spec import FindSpec


def found(dataset, text, **options) -> list[str]:
    """The sources of the documents that are found."""
    return [one.value["source"] for one in find(dataset, FindSpec(text=text, **options), silent).items]


TEXTS = [
    "plain words",
    'with "quotes" and \\ a backslash\\u0041',
    "two\nlines\tand a tab",
    "Ünïcödé wörds, 漢字, 😀",
    "a control \x01 and \x7f delete",
    "slash / and <tag> & 'quote'",
    "KELVIN \u212a and \u017f long s",
    "",
]


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("ignore_case", [False, True])
def test_what_is_found_is_what_the_texts_hold(sharded, ascii_only, ignore_case):
    """However a writer of JSON escapes it: every stretch of every text, and texts that are in none."""
    lines = [
        json.dumps({"text": text, "source": str(at)}, ensure_ascii=ascii_only).encode().replace(b"/", b"\\/")
        if ascii_only
        else json.dumps({"text": text, "source": str(at)}, ensure_ascii=False).encode()
        for at, text in enumerate(TEXTS)
    ]
    dataset = sharded([lines[:3], lines[3:]])
    maker = random.Random(1)
    for _ in range(300):
        text = maker.choice(TEXTS[:-1])
        begin = maker.randrange(len(text))
        wanted = text[begin : begin + maker.randint(1, 12)]
        if ignore_case:
            wanted = wanted.upper() if len(wanted.upper()) == len(wanted) else wanted
            expected = [str(at) for at, one in enumerate(TEXTS) if re.search(re.escape(wanted), one, re.IGNORECASE)]
        else:
            expected = [str(at) for at, one in enumerate(TEXTS) if wanted in one]
        assert found(dataset, wanted, ignore_case=ignore_case) == expected, wanted
        if not ignore_case:
            assert found(dataset, re.escape(wanted), regex=True) == expected, wanted
    assert found(dataset, "nowhere") == []


def test_names_of_fields_and_sources_are_no_text(text_dataset):
    dataset = text_dataset({"train": ["hello", "the word text stands here", "and the word source"]})
    assert found(dataset, "text") == ["train.txt:1"]
    assert found(dataset, "source") == ["train.txt:2"]
    assert found(dataset, "train.txt") == []
    assert found(dataset, '","') == []


def test_the_exit_status_says_whether_there_is_any(text_dataset):
    dataset = text_dataset({"train": ["hello"], "validation": ["hello", "goodbye"]})

    def status(text: str) -> int:
        items = find(dataset, FindSpec(text=text), silent).items
        while True:
            try:
                next(items)
            except StopIteration as ended:
                return ended.value

    assert (status("hello"), status("nothing")) == (0, 1)
    counted = find(dataset, FindSpec(text="hello", count=True), silent)
    assert counted.rows == [["train", 1, 1], ["validation", 1, 2]] and counted.status == 0
    assert find(dataset, FindSpec(text="nothing", count=True), silent).status == 1
    assert find(dataset, FindSpec(text="goodbye", count=True, split="train"), silent).status == 1
    assert found(dataset, "hello", documents=1) == ["train.txt:0"]
    assert found(dataset, "hello", split="validation") == ["validation.txt:0"]


def test_expressions(text_dataset):
    dataset = text_dataset({"train": ["one\ntwo 22\nthree", "error 404: gone", "ERROR 500: late", "dotted. text"]})
    assert found(dataset, "^two", regex=True) == ["train.txt:0"]
    assert found(dataset, "22$", regex=True) == ["train.txt:0"]
    assert found(dataset, "two.*three", regex=True) == []
    assert found(dataset, "(?s)two.*three", regex=True) == ["train.txt:0"]
    assert found(dataset, "error [0-9]+:", regex=True) == ["train.txt:1"]
    assert found(dataset, "error [0-9]+:", regex=True, ignore_case=True) == ["train.txt:1", "train.txt:2"]
    assert found(dataset, "gone|late", regex=True) == ["train.txt:1", "train.txt:2"]
    assert found(dataset, "dotted.$", regex=True) == []
    assert found(dataset, "dotted.", regex=False) == ["train.txt:3"]


@pytest.mark.parametrize("text", ["(", "a(?=b)", r"(a)\1", "[z-a]", "a{1001}"])
def test_what_is_no_expression_is_refused(text_dataset, text):
    with pytest.raises(BadRequest, match="no regular expression") as error:
        found(text_dataset({"train": ["a"]}), text, regex=True)
    assert "RE2" in (error.value.cure or "")


def test_nothing_and_no_unicode_are_refused(text_dataset):
    dataset = text_dataset({"train": ["a"]})
    with pytest.raises(BadRequest, match="nothing to look for"):
        found(dataset, "")
    with pytest.raises(BadRequest, match="UTF-8"):
        found(dataset, "\udcff")


def test_an_expression_that_others_never_finish(text_dataset):
    """A backtracking engine takes 2^60 steps for it."""
    dataset = text_dataset({"train": ["a" * 100_000 + "b"]})
    assert found(dataset, "^(a|aa)+$", regex=True) == []
    assert found(dataset, "(a+)+b", regex=True) == ["train.txt:0"]


def test_places_are_counted_up_to_a_limit(text_dataset):
    dataset = text_dataset({"train": ["x" * 5000, "x é x"]})
    shown = list(find(dataset, FindSpec(text="x"), silent).items)
    assert [one.value["places"] for one in shown] == [MOST_PLACES, 2]
    assert shown[0].about == "train · 1,000 places or more" and shown[1].about == "train · 2 places"


def test_places_are_in_characters():
    pattern = Pattern("wörd", ignore_case=True)
    text = "é 😀 Wörd, wörd"
    assert [text[low:high] for low, high in pattern.places(text)] == ["Wörd", "wörd"]


def test_excerpts_stay_in_their_line_and_show_what_was_found():
    text = "before\n" + "a" * 300 + " here " + "b" * 300 + "\nhere and here\nafter"
    places = Pattern("here").places(text)
    first, second = excerpts(text, places)
    assert first.text.startswith("…a") and first.text.endswith("b…") and len(first.text) < 180
    assert second.text == "here and here"
    for one, words in ((first, ["here"]), (second, ["here", "here"])):
        assert [one.text[low:high] for low, high in one.marks] == words
    long = "x" * 5000
    (whole,) = excerpts(long, [(0, 5000)])
    assert len(whole.text) < 700 and whole.marks == ((0, len(whole.text) - 1),)
    (empty,) = excerpts("abc", [(1, 1)])
    assert empty.text == "abc" and empty.marks == ((1, 1),)


def test_a_conversation_is_looked_into_turn_by_turn(write_dataset):
    turns = [{"role": "user", "content": "one two"}, {"role": "assistant", "content": "two three"}]
    dataset = write_dataset("chats", "chat", {"train": [{"messages": turns, "source": "c:1"}]})
    (shown,) = find(dataset, FindSpec(text="two"), silent).items
    assert shown.value == {
        "source": "c:1",
        "split": "train",
        "places": 2,
        "excerpts": [
            {"role": "user", "text": "one two", "marks": [[4, 7]]},
            {"role": "assistant", "text": "two three", "marks": [[0, 3]]},
        ],
    }
    assert found(dataset, "two\n\ntwo") == [] and found(dataset, "assistant") == []
    (shown,) = find(dataset, FindSpec(text="two", full=True), silent).items
    assert shown.value == {"messages": turns, "source": "c:1"} and shown.passages[1].marks == [(0, 3)]


def test_a_broken_line_is_named_where_it_may_hold_the_text(sharded, line):
    dataset = sharded([[line("good"), b'{"text": "bad wanted']])
    with pytest.raises(Damaged, match="line 2"):
        found(dataset, "wanted")
    assert found(dataset, "good") == ["a.txt"]


def test_few_lines_are_read_as_json(sharded, line):
    """The look at the lines rules out what it should: all but those that hold the text."""
    dataset = sharded([[line(f"text {number} of many\nwith lines") for number in range(1000)]])
    (block,) = blocks(dataset.shards("train")[0])
    assert len(list(Pattern("text 77 of").lines(block))) == 1
    assert len(list(Pattern("text 7+ of", regex=True).lines(block))) == 111  # those with "text 7"
    assert len(list(Pattern("7 of many\nwith").lines(block))) == 100
    assert not Pattern("[0-9]+", regex=True).is_told_by_lines
