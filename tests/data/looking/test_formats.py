"""Looking at pairs, preferences, and pictures with captions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aictl.core.answer import Records
from aictl.core.artifact import Source
from aictl.core.errors import Damaged, WrongKind
from aictl.core.events import silent
from aictl.data.looking.diff.diff import diff
from aictl.data.looking.find.find import find
from aictl.data.looking.head import head
from aictl.data.looking.opened import opened
from aictl.data.looking.report.report import report
from aictl.data.looking.sample import sample
from aictl.data.looking.spec import DiffSpec, FindSpec, HeadSpec, ReportSpec, SampleSpec, StatsSpec
from aictl.data.looking.stats.stats import stats


def pair(number):
    return {"input": f"the sun {number}", "output": f"el sol {number}", "source": f"a.jsonl:{number}"}


def preference(number):
    return {
        "prompt": [{"role": "user", "content": f"the sun {number}?"}],
        "chosen": [{"role": "assistant", "content": "el sol"}],
        "rejected": [{"role": "assistant", "content": "la luna"}],
        "source": f"a.jsonl:{number}",
    }


@pytest.fixture(params=["pair", "preference"])
def dataset(request, write_dataset):
    make = {"pair": pair, "preference": preference}[request.param]
    splits = {"train": [make(number) for number in range(9)], "validation": [make(9)]}
    return write_dataset(request.param, request.param, splits)


def test_head_and_sample_show_both_sides(dataset):
    first = next(iter(head(dataset, HeadSpec()).items))
    shown = [(one.label, one.text) for one in first.passages]
    if dataset.format == "pair":
        assert shown == [("input", "the sun 0"), ("output", "el sol 0")]
        assert first.about == "17 characters"
    else:
        assert shown == [("user", "the sun 0?"), ("chosen: assistant", "el sol"), ("rejected: assistant", "la luna")]
        assert first.about == "3 turns · 23 characters"
    assert len(list(sample(dataset, SampleSpec(count=3)).items)) == 3


def test_find_looks_on_both_sides(dataset):
    found = find(dataset, FindSpec(text="el sol"), silent)
    assert isinstance(found, Records)
    assert len(list(found.items)) == 10
    nothing = list(find(dataset, FindSpec(text="el rey"), silent).items)
    assert nothing == []


def test_stats_measure_all_that_is_said(dataset):
    value = stats(dataset, StatsSpec(), silent).value
    assert value["format"] == dataset.format
    assert value["total"]["documents"] == 10
    per_document = 19 if dataset.format == "pair" else 27  # with a blank line between the parts
    assert value["total"]["characters"] == 10 * per_document
    assert value["fields"] == {}


def test_diff_shows_what_changed(dataset, write_dataset):
    make = {"pair": pair, "preference": preference}[dataset.format]
    changed = json.loads(json.dumps(make(0)).replace("el sol", "der Mond"))
    after = write_dataset("after", dataset.format, {"train": [changed, *(make(n) for n in range(1, 9))]})
    value = diff(dataset, after, DiffSpec(), silent).value
    assert value["documents"] == {"same": 8, "moved": 0, "renamed": 0, "changed": 1, "removed": 1, "added": 0}
    assert "der Mond" in value["samples"]["changed"][0]["after"]


def test_the_page_shows_both_sides(dataset, tmp_path):
    page = report(dataset, ReportSpec(), tmp_path, silent)
    text = page.page_path.read_text("utf-8")
    assert f"Dataset of {dataset.format}s" in text
    assert "el sol" in text
    assert all(
        f"<b><bdi>{name}</bdi></b>" in text
        for name in (["input"] if dataset.format == "pair" else ["chosen: assistant"])
    )


def test_a_file_of_lines_is_looked_at_as_it_stands(dataset):
    lines = opened(Source("a", shard := dataset.shards("train")[0], ""))
    assert lines.format == dataset.format
    assert isinstance(shard, Path)
    assert len(list(head(lines, HeadSpec()).items)) == 9


def test_a_line_of_another_format_is_damage(dataset):
    with dataset.shards("train")[0].open("a") as file:
        file.write('{"input":5,"output":"b","prompt":[],"chosen":"a","rejected":[],"source":"x"}\n')
    with pytest.raises(Damaged, match=f"no document of a {dataset.format} dataset"):
        stats(dataset, StatsSpec(), silent)


def test_a_caption_is_shown_with_its_picture(tmp_path, write_dataset):
    folder = tmp_path / "pictures"
    folder.mkdir()
    from aictl.artifacts.dataset import Dataset, DatasetWriter

    row = {
        "image": "aa.png",
        "size_bytes": 2,
        "label": None,
        "caption": "a cat",
        "boxes": [{"label": "cat", "box": []}],
    }
    with DatasetWriter(folder, "image") as writer:
        writer.add("train", row | {"source": "1.png"}, b"ab")
    dataset = Dataset(folder)
    (shown,) = head(dataset, HeadSpec()).items
    assert [(one.label, one.text) for one in shown.passages] == [("", "aa.png"), ("caption", "a cat")]
    assert shown.about == "1 boxes · 2 bytes"
    with pytest.raises(WrongKind, match="looks at text, chat, pair and preference"):
        find(dataset, FindSpec(text="cat"), silent)
