"""What is given to be looked at: a dataset, the folder of one, or a file of JSON Lines."""

from __future__ import annotations

import json
import shutil

import pytest

from aictl.core.artifact import Source
from aictl.core.errors import BadInput, Damaged
from aictl.core.events import silent
from aictl.data.looking.find.find import find
from aictl.data.looking.head import head
from aictl.data.looking.opened import opened
from aictl.data.looking.sample import sample
from aictl.data.looking.spec import FindSpec, HeadSpec, SampleSpec, StatsSpec
from aictl.data.looking.stats.stats import stats


@pytest.fixture
def file(tmp_path):
    def write(data: bytes, name: str = "notes.jsonl"):
        path = tmp_path / name
        path.write_bytes(data)
        return Source(str(path), path, "")

    return write


def test_a_dataset_is_itself_and_its_folder_is_one(text_dataset):
    dataset = text_dataset({"train": ["one", "two"]}, "texts")
    assert opened(dataset) is dataset
    found = opened(Source("texts", dataset.folder, ""))
    assert found.label == "texts" and list(found.documents()) == list(dataset.documents())


def test_a_file_is_one_split_and_says_where_its_documents_stand(file):
    dataset = opened(file(b'{"text":"h\xc3\xa9"}\n\n \n{"text":"two","source":"x"}\n\n{"text":"three"}'))
    assert dataset.label == "notes.jsonl" and dataset.format == "text"
    shown = [one.value for one in head(dataset, HeadSpec()).items]
    assert [(one["text"], one["source"]) for one in shown] == [
        ("hé", "notes.jsonl#0"), ("two", "x"), ("three", "notes.jsonl#47")
    ]  # fmt: skip
    with dataset.path.open("rb") as raw:
        raw.seek(47)
        assert json.loads(raw.readline()) == {"text": "three"}
    assert len(list(find(dataset, FindSpec(text="t", regex=True), silent).items)) == 2
    assert stats(dataset, StatsSpec(), silent).value["total"]["documents"] == 3


def test_a_file_is_drawn_from(file):
    dataset = opened(file(b"".join(b'{"text":"%d"}\n' % number for number in range(200))))
    drawn = [[one.value["text"] for one in sample(dataset, SampleSpec(count=5, seed=1)).items] for _ in range(2)]
    assert drawn[0] == drawn[1] and len(set(drawn[0])) == 5
    assert len(list(sample(dataset, SampleSpec(count=500)).items)) == 200


def test_conversations_are_known_by_their_messages(file):
    line = json.dumps({"messages": [{"role": "user", "content": "hello"}]}).encode()
    assert opened(file(line + b"\n")).format == "chat"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"text\n", "its first line is no JSON"),
        (b'{"body":"x"}\n', "neither 'text' nor 'messages' in its first line: body"),
        (b"[1]\n", "in its first line: none"),
        (b'{"text":1}\n', "in its first line: text"),
    ],
)
def test_a_file_that_holds_no_documents(file, data, said):
    with pytest.raises(BadInput, match=said):
        head(opened(file(data)), HeadSpec())


def test_a_broken_line_is_no_damage_in_a_file_and_is_in_a_dataset(file, text_dataset):
    lines = b'{"text":"one"}\n{"text":2}\n'
    with pytest.raises(BadInput, match=r"notes.jsonl, line 2: no document of a text dataset"):
        list(head(opened(file(lines)), HeadSpec()).items)
    dataset = text_dataset({"train": ["one"]})
    dataset.shards("train")[0].write_bytes(lines)
    with pytest.raises(Damaged, match="line 2"):
        list(head(dataset, HeadSpec()).items)


def test_what_is_no_dataset(tmp_path, file):
    with pytest.raises(BadInput, match="a folder without dataset.json"):
        opened(Source("here", tmp_path, ""))
    with pytest.raises(BadInput, match="no file of JSON Lines"):
        opened(file(b"text", "notes.txt"))


def test_the_command_line_takes_all_three(aictl, project, text_dataset, file):
    dataset = text_dataset({"train": ["one", "two"]}, "texts")
    source = file(b'{"text":"three"}\n')
    outside = project.root.parent
    for given, first in ((dataset.folder, "one"), (source.path, "three")):
        for place in (outside, project.root):
            done = aictl("data", "head", str(given), "-n", "1", cwd=place)
            assert (done.returncode, json.loads(done.stdout)["text"]) == (0, first), done.stderr
    shutil.rmtree(dataset.folder)
    for place in (outside, project.root):
        assert aictl("data", "head", str(dataset.folder), cwd=place).returncode == 3


def test_a_name_of_the_workspace_comes_before_a_folder(aictl, project, tmp_path):
    raw = tmp_path / "raw.txt"
    raw.write_text("A text that is long enough to be kept as a document.\n")
    made = aictl("data", "prep", str(raw), "--validation-fraction", "0", "--name", "notes", cwd=project.root)
    assert made.returncode == 0, made.stderr
    (project.root / "notes").mkdir()
    assert aictl("data", "head", "notes", cwd=project.root).returncode == 0
    (project.root / "notes").rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert aictl("init", cwd=elsewhere).returncode == 0
    there = made.stdout.strip()
    assert aictl("data", "head", there, cwd=elsewhere).returncode == 0, "of another workspace"
    assert aictl("data", "head", there, cwd=project.root).returncode == 0
