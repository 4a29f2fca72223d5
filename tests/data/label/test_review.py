"""The round trip past people: which documents they get, in which files, and how those come back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from aictl.core.artifact import Source
from aictl.core.errors import BadInput, BadRequest, NotFound
from aictl.data.label.reviewed import read
from aictl.data.label.texts import id_of

TABLES = """
[functions.rain]
kind = "keywords"
label = "weather"
keywords = ["rain", "snow"]

[functions.clock]
kind = "keywords"
label = "alarm"
keywords = ["alarm", "clock"]

[functions.sky]
kind = "regex"
label = "weather"
pattern = "sky|rain"
"""
NAMES = ["weather", "alarm", "other"]


@pytest.fixture
def documents(texts):
    """Forty that agree, five on which functions disagree, five that nobody covers."""
    return texts(
        [f"rain from the sky {number}" for number in range(20)]
        + [f"alarm {number}" for number in range(20)]
        + [f"an alarm about snow {number}" for number in range(3)]
        + ["clock and sky", "=cmd|' /C calc'!A0 rain alarm"]
        + [f"nothing {number}" for number in range(5)]
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def fill(path: Path, label: str, annotator: str = "", to: Path | None = None, count: int = 10**6) -> Path:
    rows = rows_of(path)
    to = to or path
    with to.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.DictWriter(file, rows[0])
        sheet.writeheader()
        for number, row in enumerate(rows):
            sheet.writerow({**row, "label": label if number < count else "", "annotator": annotator})
    return to


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_disagreement_comes_first_and_each_quarrel_in_turn(documents, label, tmp_path, suffix):
    path = tmp_path / f"review{suffix}"
    label(documents, TABLES, review_out=path, review_count=12)
    rows = rows_of(path)
    texts = [row["text"].lstrip("'") for row in rows]
    assert len(rows) == 12 and len(set(texts[:5])) == 5
    assert all("alarm about snow" in text or "clock and sky" in text or "cmd" in text for text in texts[:5])
    quarrels = ["snow" in text for text in texts[:3]]
    assert sum(quarrels) == 1, "three kinds of quarrel, one of each before the second of any"
    assert all(text.startswith("nothing") for text in texts[5:10])
    assert {row["label"] for row in rows} == {""} and rows[5]["suggested"] == ""
    assert all(row["id"] == id_of({"text": text}) for row, text in zip(rows, texts, strict=True))


def test_no_cell_is_a_formula(documents, label, tmp_path):
    path = tmp_path / "review.csv"
    label(documents, TABLES, review_out=path)
    cells = [cell for row in rows_of(path) for cell in row.values()]
    assert "'=cmd|' /C calc'!A0 rain alarm" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]


def test_the_file_is_written_although_the_dataset_is_there(documents, label, tmp_path):
    path = tmp_path / "review.csv"
    first = label(documents, TABLES)
    again = label(documents, TABLES, review_out=path)
    assert again.up_to_date and again.path == first.path and len(rows_of(path)) == 50
    label(documents, TABLES, review_out=path, review_count=3)
    assert len(rows_of(path)) == 3, "a file without a label in it may be replaced"


def test_no_ones_work_is_overwritten(documents, label, tmp_path):
    path = tmp_path / "review.csv"
    label(documents, TABLES, review_out=path)
    fill(path, "weather", count=2)
    with pytest.raises(BadRequest, match="with 2 labels that people entered") as told:
        label(documents, TABLES, review_out=path)
    assert "--reviewed" in told.value.cure and rows_of(path)[0]["label"] == "weather"
    other = tmp_path / "thesis.csv"
    other.write_text("my,thesis\n1,2\n")
    with pytest.raises(BadRequest, match="is no review"):
        label(documents, TABLES, review_out=other)
    assert other.read_text() == "my,thesis\n1,2\n"


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [("review.xlsx", BadRequest, "should end in .csv or .jsonl"), ("no/review.csv", NotFound, "there is no folder")],
)
def test_where_no_review_can_be_written(documents, label, tmp_path, name, error, said):
    with pytest.raises(error, match=said):
        label(documents, TABLES, review_out=tmp_path / name)


def test_what_people_say_is_the_label(documents, label, tmp_path):
    path = tmp_path / "review.csv"
    label(documents, TABLES, review_out=path, review_count=5)
    fill(path, "other")
    outcome = label(documents, TABLES, reviewed=path)
    reviewed = [document for document in outcome.artifact.documents() if document.get("reviewed")]
    assert len(reviewed) == 5
    assert all(document["label"] == "other" and document["confidence"] == 1 for document in reviewed)
    report = json.loads((outcome.path / "labels.json").read_text())
    assert report["review"]["annotators"] == {"review": 5} and report["review"]["documents"] == 5
    clock = next(one for one in report["functions"] if one["name"] == "clock")
    assert (clock["reviewed"], clock["reviewed_right"]) == (5, 0)
    left = tmp_path / "left.csv"
    label(documents, TABLES, reviewed=path, review_out=left)
    assert not {row["id"] for row in rows_of(left)} & {row["id"] for row in rows_of(path)}


def test_people_who_disagree_leave_it_open_and_see_it_again_first(documents, label, tmp_path):
    path = tmp_path / "review.csv"
    label(documents, TABLES, review_out=path, review_count=4)
    files = [fill(path, said, to=tmp_path / f"{who}.csv") for who, said in (("ann", "weather"), ("bob", "alarm"))]
    next_one = tmp_path / "next.csv"
    outcome = label(documents, TABLES, reviewed=files, review_out=next_one, review_count=6)
    report = json.loads((outcome.path / "labels.json").read_text())
    assert not any(document.get("reviewed") for document in outcome.artifact.documents())
    assert len(report["review"]["undecided_documents"]) == 4
    assert report["review"]["agreement"]["cohen"] == [{"annotators": ["ann", "bob"], "documents": 4, "kappa": 0.0}]
    assert {row["id"] for row in rows_of(next_one)[:4]} == {row["id"] for row in rows_of(path)}
    third = fill(path, "alarm", to=tmp_path / "cyd.csv")
    decided = label(documents, TABLES, reviewed=[*files, third]).artifact
    said = [document for document in decided.documents() if document.get("reviewed")]
    assert [(one["label"], one["confidence"]) for one in said] == [("alarm", 0.6667)] * 4
    report = json.loads((decided.folder / "labels.json").read_text())
    assert report["review"]["agreement"]["fleiss"]["documents"] == 4


def write(path: Path, text: str | bytes) -> Source:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return Source(str(path), path, "")


def test_files_of_spreadsheets_and_of_programs(tmp_path):
    files = [
        write(tmp_path / "comma.csv", "\ufeffid,label,annotator\r\n1,weather,ann\r\n2,,ann\r\n"),
        write(tmp_path / "semicolon.csv", 'text;Label;id;annotator\n"two\nlines; here";alarm;1;bob\n'),
        write(tmp_path / "tab.csv", "id\tlabel\n3\tother\n"),
        write(tmp_path / "utf16.csv", "id,label\n3,other\n".encode("utf-16")),
        write(tmp_path / "a.jsonl", '{"id": "3", "label": "other", "annotator": "cyd"}\n\n{"id": 4, "label": null}\n'),
    ]  # fmt: skip
    reviews = read(files, NAMES)
    assert reviews.said == {
        "1": {"ann": "weather", "bob": "alarm"}, "3": {"tab": "other", "utf16": "other", "cyd": "other"}
    }  # fmt: skip
    assert reviews.settled == {"3": ("other", 1.0)}
    assert reviews.annotators == {"ann": 1, "bob": 1, "cyd": 1, "tab": 1, "utf16": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,label\n1,wether\n", "a.csv, line 2: no label is called 'wether'; did you mean 'weather'?"),
        ("id,label,annotator\n1,weather,ann\n2,alarm,\n", "a.csv, line 3: names no annotator, and other rows do"),
        ("id,label\n,weather\n", "a.csv, line 2: has a label and no id"),
        ("id,label,annotator\n1,weather,ann\n1,alarm,ann\n", "line 3: ann says alarm of 1, and weather in"),
        ("document,answer\n1,2\n", "its first line names no columns 'id' and 'label'"),
        ("", "its first line names no columns"),
        ('id,label\n1,"weather\n', "a.csv, line 2: unexpected end of data"),
        ("id,label\n1,caf\xe9\n".encode("latin-1"), "not UTF-8: byte 0xe9"),
        (b"PK\x03\x04\0\0\0\0", "binary file"),
    ],
)
def test_what_cannot_be_taken_back_is_named_with_its_line(tmp_path, text, said):
    with pytest.raises(BadInput) as told:
        read([write(tmp_path / "a.csv", text)], NAMES)
    assert said in told.value.message


def test_two_files_of_one_name_need_annotators(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    files = [write(tmp_path / folder / "review.csv", "id,label\n1,weather\n") for folder in ("one", "two")]
    with pytest.raises(BadInput, match="names no annotator, and .*one/review.csv has the same name"):
        read(files, NAMES)


def test_the_same_said_twice_counts_once(tmp_path):
    file = write(tmp_path / "a.csv", "id,label,annotator\n1,weather,ann\n1,weather,ann\n")
    reviews = read([file], NAMES)
    assert reviews.said == {"1": {"ann": "weather"}} and reviews.repeated == 1


def test_the_review_of_another_dataset_is_refused_and_a_few_strangers_are_told(documents, label, workspace, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,label\n0123456789abcdef,weather\n")
    with pytest.raises(BadInput, match="none of the 1 reviewed ids is of a document in this dataset: 0123456789abcd"):
        label(documents, TABLES, reviewed=path)
    path.write_text(f"id,label\n0123456789abcdef,weather\n{id_of({'text': 'nothing 1'})},other\n")
    outcome = label(documents, TABLES, reviewed=path)
    assert "1 reviewed ids are of no document in this dataset: 0123456789abcdef" in str(workspace.told)
    assert sum(bool(document.get("reviewed")) for document in outcome.artifact.documents()) == 1


def test_an_unlabelled_dataset_has_nothing_to_review(documents, tmp_path):
    from aictl.core.events import silent
    from aictl.data.label.review import write as write_review
    from aictl.data.label.spec import LabelSpec

    with pytest.raises(BadRequest, match="has no labels"):
        write_review(documents, LabelSpec(review_out=tmp_path / "a.csv"), silent)
