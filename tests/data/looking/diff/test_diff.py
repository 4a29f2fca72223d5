"""How two datasets differ, as it is said."""

from __future__ import annotations

import json

import pytest

from aictl.core.artifact import Source
from aictl.core.errors import Damaged, WrongKind
from aictl.core.events import silent
from aictl.data.looking.diff.diff import diff
from aictl.data.looking.opened import opened
from aictl.data.looking.spec import DiffSpec

BEFORE = {
    "train": [
        {"text": "stays", "source": "a.txt"},
        {"text": "an old text 漢字 of which the end is", "source": "b.txt"},
        {"text": "goes away", "source": "c.txt"},
        {"text": "is held out", "source": "d.txt"},
    ],
    "validation": [{"text": "gets a name", "source": "old.txt"}],
}
AFTER = {
    "train": [
        {"text": "stays", "source": "a.txt"},
        {"text": "an old text 漢字 of which the end was", "source": "b.txt"},
        {"text": "is new", "source": "e.txt"},
    ],
    "validation": [{"text": "gets a name", "source": "new.txt"}, {"text": "is held out", "source": "d.txt"}],
}


def value(before, after, **options):
    return diff(before, after, DiffSpec(**options), silent).value


def test_each_kind_of_difference(text_dataset):
    found = value(text_dataset(BEFORE), text_dataset(AFTER))
    assert found["documents"] == {"same": 1, "moved": 1, "renamed": 1, "changed": 1, "removed": 1, "added": 1}
    assert found["moves"] == [{"from": "train", "to": "validation", "documents": 1}]
    assert found["splits"]["train"] == {
        "before": 4, "after": 3, "same": 1, "renamed": 0, "changed": 1, "moved_out": 1, "moved_in": 0, "removed": 1,
        "added": 1,
    }  # fmt: skip
    assert found["splits"]["validation"] == {
        "before": 1, "after": 2, "same": 0, "renamed": 1, "changed": 0, "moved_out": 0, "moved_in": 1, "removed": 0,
        "added": 0,
    }  # fmt: skip
    samples = found["samples"]
    assert samples["removed"] == [{"source": "c.txt", "split": "train", "text": "goes away"}]
    assert samples["added"] == [{"source": "e.txt", "split": "train", "text": "is new"}]
    assert samples["moved"][0]["split_after"] == "validation" and samples["renamed"][0]["source_after"] == "new.txt"
    (changed,) = samples["changed"]
    assert changed["before"].endswith("the end is") and changed["after"].endswith("the end was")


def test_the_first_character_that_differs_is_shown(text_dataset):
    long = "the same words again " * 200
    before = text_dataset({"train": [{"text": long + "old", "source": "a"}]})
    after = text_dataset({"train": [{"text": long + "new", "source": "a"}]})
    (changed,) = value(before, after)["samples"]["changed"]
    assert changed["at_character"] == len(long) - 40
    assert changed["before"].endswith("old") and changed["after"].endswith("new")


def test_the_same_twice_and_nothing_at_all(text_dataset):
    dataset, empty = text_dataset(BEFORE), text_dataset({})
    same = value(dataset, dataset)
    assert same["documents"]["same"] == 5 and sum(same["documents"].values()) == 5
    assert not any(same["samples"].values()) and not same["options"] and not same["steps"]
    assert value(dataset, empty)["documents"]["removed"] == 5
    assert value(empty, dataset)["documents"]["added"] == 5
    assert sum(value(empty, empty)["documents"].values()) == 0


def test_a_label_is_part_of_what_a_document_says(text_dataset, write_dataset):
    one = text_dataset({"train": [{"text": "x", "source": "a", "label": "good"}]})
    other = text_dataset({"train": [{"text": "x", "source": "a", "label": "bad"}]})
    assert value(one, other)["documents"]["changed"] == 1
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
    roles = [{"role": "system", "content": "hello"}, {"role": "assistant", "content": "hi"}]
    chats = write_dataset("chats", "chat", {"train": [{"messages": turns, "source": "c"}]})
    others = write_dataset("others", "chat", {"train": [{"messages": roles, "source": "c"}]})
    assert value(chats, others)["documents"]["changed"] == 1
    with pytest.raises(WrongKind, match="format chat and 'texts-0' of text"):
        diff(chats, one, DiffSpec(), silent)


def test_files_whose_documents_have_no_source_are_compared_by_what_they_say(tmp_path):
    paths = [tmp_path / name for name in ("before.jsonl", "after.jsonl")]
    for path, texts in zip(paths, (["one", "two", "three"], ["a new one", "one", "two!", "three"]), strict=True):
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    found = value(*(opened(Source(str(path), path, "")) for path in paths))
    assert found["documents"] == {"same": 2, "moved": 0, "renamed": 0, "changed": 0, "removed": 1, "added": 2}
    assert [one["text"] for one in found["samples"]["removed"]] == ["two"]


def test_a_dataset_that_is_short_of_documents_is_damaged(sharded, line, text_dataset):
    with pytest.raises(Damaged, match="should hold 3 documents and has 1"):
        diff(text_dataset(BEFORE), sharded([[line("one")]], documents=3), DiffSpec(), silent)


def test_what_two_were_made_with(aictl, project, tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    for number in range(40):
        (raw / f"{number}.txt").write_text(f"Document number {number}, which is long enough to be kept. " * 3)
    (raw / "short.txt").write_text("a short one that is kept at first")
    for options in ((), ("--min-chars", "100")):
        made = aictl("data", "prep", "raw", "--name", "texts", *options, cwd=tmp_path, env=_in(project))
        assert made.returncode == 0, made.stderr
    done = aictl("data", "diff", "texts@1", "texts@2", "--json", cwd=tmp_path, env=_in(project))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["documents"]["removed"] == 1 and found["samples"]["removed"][0]["source"] == "short.txt"
    assert {"option": "filters.min_chars", "before": 32, "after": 100} in found["options"]
    assert {"step": "length", "before": 41, "after": 40} in found["steps"]
    assert found["inputs"] == []
    piped = aictl("data", "diff", "texts@1", "texts@2", cwd=tmp_path, env=_in(project)).stdout
    assert "documents.removed\t1\n" in piped


def _in(project):
    return {"AICTL_WORKSPACE": str(project.root)}
