"""The store finds one flipped bit, one missing file and one too many."""

from __future__ import annotations

import pytest

from aictl.core.errors import Damaged
from aictl.core.events import silent
from aictl.workspace.listing import check_artifacts, list_artifacts, show_artifact


@pytest.fixture
def made(bench, write):
    return bench.count(write("a.txt", "one two"), name="a")


def test_whole(made, bench):
    assert [row[1] for row in check_artifacts(bench.project.root, [], silent).rows] == ["whole"]


def damaged(bench, *named: str) -> str:
    table = check_artifacts(bench.project.root, named, silent)
    assert table.status == 6
    return next(row[3] for row in table.rows if row[1] == "damaged")


def flip(made) -> None:
    path = made.path / "probe.json"
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)


def test_one_flipped_bit(made, bench):
    flip(made)
    assert damaged(bench, "a") == "probe.json: its sha256 is not the one in the record"


def test_nothing_is_made_from_a_flipped_bit(made, bench):
    flip(made)
    with pytest.raises(Damaged, match=r"probe 'a': probe.json"):
        bench.add("a")
    assert bench.ran == ["count"]


def test_a_missing_and_a_foreign_file(made, bench):
    (made.path / "probe.json").rename(made.path / "other.json")
    assert damaged(bench) == "other.json: is not in the record; probe.json: is missing"


def test_a_broken_record_is_listed_and_not_up_to_date(made, bench, tmp_path):
    (made.path / "artifact.json").write_text("{")
    assert [row[2] for row in list_artifacts(bench.project.root, silent, kind=None, older=False).rows] == ["damaged"]
    assert "artifact.json" in damaged(bench)


def test_one_flipped_bit_of_a_record(made, bench):
    path = made.path / "artifact.json"
    path.write_bytes(path.read_bytes().replace(b'"total": 2', b'"total": 3'))
    assert "artifact.json" in damaged(bench)
    bench.count(bench.project.root.parent / "a.txt", name="a")
    assert bench.ran == ["count", "count"]
    assert check_artifacts(bench.project.root, [], silent).status == 0


def test_an_artifact_is_shown_with_every_name_it_has(bench, write, project):
    source = write("a.txt", "one two")
    for name in ("first", "second"):
        bench.count(source, name=name)
    assert bench.ran == ["count"]
    shown = show_artifact(project.root, "second", silent, get=None).value
    assert (shown["name"], shown["names"]) == ("second", ["first@1", "second@1"])
    checked = check_artifacts(project.root, ["first", "second"], silent)
    assert [row[:2] for row in checked.rows] == [("probe/first@1, second@1", "whole")]
    unnamed = bench.count(write("b.txt", "three"))
    assert show_artifact(project.root, str(unnamed.path), silent, get="names").value == []


def test_versions_are_listed_in_the_order_of_their_numbers(bench, write, project):
    for number in range(11):
        bench.count(write("a.txt", "word " * (number + 1)), name="a")
    listed = list_artifacts(project.root, silent, kind=None, older=True).rows
    assert [row[1] for row in listed] == [f"a@{number}" for number in range(1, 12)]
