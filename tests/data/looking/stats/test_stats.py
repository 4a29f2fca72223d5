"""What a dataset measures, against the same counted plainly."""

from __future__ import annotations

import random

import pytest
from tests.data.duplicates.planted import paragraphs

from aictl.artifacts.dataset import DatasetWriter
from aictl.artifacts.quantity import percent
from aictl.core.errors import Damaged
from aictl.core.events import Advanced, Events, silent
from aictl.data.arrays.codes import Texts
from aictl.data.looking.spec import StatsSpec
from aictl.data.looking.stats import groups as grouping
from aictl.data.looking.stats import measuring
from aictl.data.looking.stats.groups import Groups
from aictl.data.looking.stats.measures import group_of, suffix_of
from aictl.data.looking.stats.measuring import measure
from aictl.data.looking.stats.pages import bar
from aictl.data.looking.stats.scripts import SCRIPTS, letters
from aictl.data.looking.stats.stats import stats

MIXED = ["Plain text.\nTwo lines", "", "Ünï 漢字 😀\n\n", "один два three"]


def value(dataset, **options):
    return stats(dataset, StatsSpec(**options), silent).value


def test_sums_are_those_of_the_texts(text_dataset):
    texts = [*paragraphs(30), *MIXED]
    dataset = text_dataset({"train": texts, "validation": MIXED})
    found = value(dataset)
    for split, own in (("train", texts), ("validation", MIXED)):
        assert found["splits"][split] | {"size_bytes": 0} == {
            "documents": len(own),
            "characters": sum(map(len, own)),
            "bytes": sum(len(text.encode()) for text in own),
            "words": found["splits"][split]["words"],
            "lines": sum(text.count("\n") + 1 for text in own),
            "non_ascii_share": pytest.approx(
                sum(letter > "\x7f" for text in own for letter in text) / sum(map(len, own)), abs=1e-6
            ),
            "lengths": found["splits"][split]["lengths"],
            "shards": 1,
            "size_bytes": 0,
        }
        of_split = found["splits"][split]["lengths"]["characters"]
        assert (of_split["min"], of_split["max"]) == (min(map(len, own)), max(map(len, own)))
    assert found["splits"]["validation"]["words"] == 4 + 0 + 3 + 3
    assert found["total"]["documents"] == len(texts) + len(MIXED)
    assert found["characters"]["max"] == max(map(len, texts)) and found["characters"]["min"] == 0
    assert sum(row["documents"] for row in found["characters"]["histogram"]) == found["total"]["documents"]


def test_letters_by_script():
    counts = letters(Texts(["Ab1 ", "Ünï", "漢字ひらカナ", "один", "αβγ", "ｆｕｌｌ", "𠀀😀", "한국"]))
    assert {SCRIPTS[at]: int(count) for at, count in enumerate(counts) if count} == {
        "Latin": 2 + 3 + 4, "Han": 3, "Hiragana": 2, "Katakana": 2, "Cyrillic": 4, "Greek": 3, "Hangul": 2
    }  # fmt: skip


def test_labels_languages_and_other_fields(text_dataset):
    documents = [
        {"text": "one", "label": "good", "language": "en", "confidence": 0.5},
        {"text": "three", "label": "bad", "language": "de"},
        {"text": "five", "label": None},
        {"text": "seven", "label": "good"},
    ]
    found = value(text_dataset({"train": documents}))
    assert found["labels"]["largest"] == [
        {"label": "good", "documents": 2, "characters": 8},
        {"label": "bad", "documents": 1, "characters": 5},
        {"label": "(none)", "documents": 1, "characters": 4},
    ]
    assert [row["language"] for row in found["languages"]["largest"]] == ["de", "en"]
    assert found["fields"] == {"label": 4, "language": 2, "confidence": 1}
    assert value(text_dataset({"train": documents}), rows=1)["labels"]["others"] == {
        "at_least": 2, "documents": 2, "characters": 9
    }  # fmt: skip


def test_turns_and_roles(write_dataset):
    turns = [("system", "be kind"), ("user", "hello"), ("assistant", "hi"), ("user", "bye"), ("assistant", "bye")]
    messages = [{"role": role, "content": content} for role, content in turns]
    dataset = write_dataset("chats", "chat", {"train": [{"messages": messages, "source": "c"}] * 2})
    found = value(dataset)["conversations"]
    assert found["turns"]["min"] == found["turns"]["max"] == 5
    assert found["roles"] == [
        {"role": "user", "turns": 4, "characters": 16},
        {"role": "system", "turns": 2, "characters": 14},
        {"role": "assistant", "turns": 4, "characters": 10},
    ]


@pytest.mark.parametrize(
    ("source", "group"),
    [
        ("a/b/c.txt", "a/"),
        ("a.txt", "a.txt"),
        ("chats.jsonl:17", "chats.jsonl"),
        ("guide.md#2", "guide.md"),
        ("guide.md:3#2", "guide.md"),
        ("2:docs/a.md", "2:docs/"),
        ("decoder.py:JSONDecoder.decode", "decoder.py"),
        ("https://example.org/a/b#c", "https://example.org"),
        ("", ""),
        (":3", ":3"),
    ],
)
def test_where_a_document_is_from(source, group):
    assert group_of(source) == group


def test_too_many_groups_are_put_together(monkeypatch):
    monkeypatch.setattr(grouping, "MOST", 10)
    groups = Groups()
    for number in range(100):
        groups.add(f"g{number}", 1, number)
    assert len(groups.counts) <= 20
    assert groups.largest(1) == [("g99", 1, 99)]
    others, count, size = groups.rest(1)
    assert (count, size) == (99, sum(range(99))) and others >= 10


def test_many_processes_come_to_the_same(tmp_path, monkeypatch):
    """Shards of real text, measured by this process and by two."""
    maker = random.Random(0)
    texts = [*paragraphs(100), *MIXED]
    monkeypatch.setattr("aictl.artifacts.dataset.SHARD_BYTES", 10_000)
    with DatasetWriter(tmp_path, "text") as writer:
        for number, text in enumerate(texts):
            writer.add("train" if maker.random() < 0.8 else "validation", {"text": text, "source": f"{number}/a"})
    from aictl.artifacts.dataset import Dataset

    dataset = Dataset(tmp_path)
    assert len(dataset.shards("train")) >= 4
    alone = value(dataset, workers=1)
    monkeypatch.setattr(measuring, "ALONE_BYTES", 0)
    told = []
    together = stats(dataset, StatsSpec(workers=2), Events(told.append)).value
    assert together == alone
    assert [event for event in told if isinstance(event, Advanced)][-1].done == sum(
        path.stat().st_size for split in dataset.splits for path in dataset.shards(split)
    )


def test_a_long_file_is_measured_in_pieces(text_dataset, monkeypatch):
    dataset = text_dataset({"train": [*paragraphs(50), *MIXED]})
    whole = value(dataset)
    whole["vocabulary"].pop("growth")  # is noted once more at the end of each piece
    for size in (1, 100, 5000):
        monkeypatch.setattr(measuring, "PIECE_BYTES", size)
        parts = value(dataset)
        parts["vocabulary"].pop("growth")
        assert parts == whole


def test_damage_is_said_wherever_it_is_read(sharded, line, monkeypatch):
    dataset = sharded([[line("a")] * 3, [line("b"), b"broken"]])
    for least in (1 << 40, 0):
        monkeypatch.setattr(measuring, "ALONE_BYTES", least)
        with pytest.raises(Damaged, match="train-00001.jsonl, line 2"):
            measure(dataset, silent, workers=2)


def test_fewer_documents_than_there_should_be(sharded, line):
    with pytest.raises(Damaged, match="should hold 9 documents and has 1"):
        value(sharded([[line("a")]], documents=9))


def test_a_dataset_without_documents(text_dataset):
    answer = stats(text_dataset({}), StatsSpec(), silent)
    assert answer.value["total"]["documents"] == 0 and answer.value["characters"] is None
    assert [section.title for section in answer.sections] == [f"Dataset '{answer.value['dataset']}': text"]


def test_bars_and_shares():
    assert bar(0, 10) == "" and bar(10, 10) == "█" * 28 and bar(1, 10**6) == "▏"
    assert [percent(share) for share in (0, 1, 0.5, 0.0123)] == ["0 %", "100 %", "50 %", "1.2 %"]
    assert [percent(share) for share in (0.996, 0.99999, 1e-7)] == ["99.6 %", "> 99.9 %", "< 0.001 %"]


def test_documents_that_stand_there_twice(text_dataset, write_dataset):
    found = value(text_dataset({"train": ["one", "two", "one", "Ünï"], "validation": ["two", "Ünï", "three", "three"]}))
    assert found["repeated"] == {"documents": 4, "also_in_train": {"validation": 2}}
    assert value(text_dataset({"test": ["one", "two"]}))["repeated"] == {"documents": 0, "also_in_train": {}}
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
    chats = write_dataset("chats", "chat", {"train": [{"messages": turns, "source": f"c:{n}"} for n in range(3)]})
    assert value(chats)["repeated"]["documents"] == 2


@pytest.mark.parametrize(
    ("source", "suffix"),
    [
        ("a/b.md", ".md"), ("notes.TXT:12", ".txt"), ("x/change.log.gz:3", ".log.gz"), ("README", "(none)"),
        (".bashrc", "(none)"), ("a.b/c", "(none)"), ("v1.2", "(none)"), ("data.gz", ".gz"), ("f.jsonl#99", ".jsonl"),
    ],
)  # fmt: skip
def test_suffixes(source, suffix):
    assert suffix_of(source) == suffix
