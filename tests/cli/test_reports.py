"""A command whose artifact is a report shows it, and stdout stays what a shell can chain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aictl.cli.report import lines
from aictl.core.answer import Section


@pytest.fixture
def place(tmp_path: Path, aictl) -> Path:
    assert aictl("init", "w", cwd=tmp_path).returncode == 0
    return tmp_path / "w"


def test_the_report_is_on_stderr_and_its_path_on_stdout(aictl, place):
    done = aictl("hw", "probe", cwd=place)
    assert (Path(done.stdout.strip()) / "probe.json").is_file() and done.stdout.count("\n") == 1
    assert "cpu" in done.stderr.splitlines()
    assert aictl("hw", "probe", "--events", "none", cwd=place).stderr == ""


def test_json_is_the_report_and_where_it_lies(aictl, place):
    document = json.loads(aictl("hw", "probe", "--json", cwd=place).stdout)
    assert document["cpu"]["cores"] >= 1 and document["kind"] == "probe"
    assert json.loads((Path(document["path"]) / "probe.json").read_text())["cpu"] == document["cpu"]


def test_a_report_that_was_kept_is_shown_again(aictl, place):
    assert aictl("hw", "probe", "--name", "here", cwd=place).returncode == 0
    shown = json.loads(aictl("artifact", "show", "here", "--json", cwd=place).stdout)
    assert shown["kind"] == "probe" and shown["report"]["cpu"]["cores"] >= 1
    cores = aictl("artifact", "show", "here", "--get", "report.cpu.cores", cwd=place).stdout
    assert int(cores) == shown["report"]["cpu"]["cores"]


def test_outside_a_workspace_the_report_is_the_answer(aictl, tmp_path):
    assert aictl("hw", "probe", cwd=tmp_path).stdout.startswith("cpu.model\t")
    assert json.loads(aictl("hw", "probe", "--json", cwd=tmp_path).stdout)["cpu"]["cores"] >= 1


def test_a_name_that_leaves_no_room_beside_it_stands_above_its_value():
    path = "/a/place/whose/name/goes/on/and/on/until/nothing/else/has/room"
    section = Section("Disks", {path: "ext4, virtual, 8.81 GiB free of 252 GiB", "sda": "a disk"})
    drawn = lines([section], 80, colour=False)
    assert drawn == ["Disks", f"  {path}", "       ext4, virtual, 8.81 GiB free of 252 GiB", "  sda  a disk"]
    assert max(map(len, lines([section], 68, colour=False))) <= 68
    (name,) = (line for line in lines([section], 80, colour=True) if path in line)
    assert name == f"  \x1b[2m{path}\x1b[0m"
