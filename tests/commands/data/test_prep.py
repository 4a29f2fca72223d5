"""data prep as it is typed: what of its input may be unreadable, and what becomes of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

LONG = "a sentence that is long enough to be kept by the default minimum of characters, number "


@pytest.fixture
def notes(project) -> Path:
    """Thirty notes in a workspace, a broken link and a pipe among them."""
    folder = project.root / "notes"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number}.txt").write_text(f"{LONG}{number}")
    (folder / "gone.txt").symlink_to("nowhere")
    os.mkfifo(folder / "endless.txt")
    return folder


def said(result) -> dict:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_unreadable_files_are_set_aside_and_told_and_count(aictl, project, notes):
    made = said(aictl("data", "prep", "notes", "--name", "notes", "--json", cwd=project.root))
    assert made["metrics"]["documents"] == {
        "in": 32, "out": 30, "duplicates": 0, "too_short": 0, "empty": 0, "rejected": 2
    }  # fmt: skip
    rejected = (Path(made["path"]) / "rejected.jsonl").read_text().splitlines()
    assert [json.loads(line)["source"] for line in rejected] == ["endless.txt", "gone.txt"]
    again = aictl("data", "prep", "notes", "--name", "notes", "--json", cwd=project.root)
    assert said(again)["up_to_date"] and not again.stderr
    (notes / "gone.txt").unlink()
    assert "stale" in aictl("artifact", "ls", cwd=project.root).stdout
    assert not said(aictl("data", "prep", "notes", "--json", cwd=project.root))["up_to_date"]


def test_strict_makes_nothing_of_them(aictl, project, notes):
    result = aictl("data", "prep", "notes", "--strict", cwd=project.root)
    assert result.returncode == 2 and not result.stdout
    assert "endless.txt: cannot be read: a pipe" in result.stderr and "--strict" in result.stderr


def test_one_source_among_many_is_set_aside_and_alone_it_is_an_error(aictl, project, notes):
    made = said(aictl("data", "prep", *sorted(notes.iterdir()), "--json", cwd=project.root))
    assert made["metrics"]["documents"]["rejected"] == 2
    for source, code, why in (("gone.txt", 3, "is a broken link"), ("endless.txt", 2, "is a pipe")):
        result = aictl("data", "prep", f"notes/{source}", cwd=project.root)
        assert (result.returncode, why in result.stderr, "→" in result.stderr) == (code, True, True)
    missing = aictl("data", "prep", "notes", "missing.txt", cwd=project.root)
    assert missing.returncode == 3 and "'missing.txt' does not exist" in missing.stderr


def test_a_source_that_gives_no_end_is_never_waited_for(aictl, project):
    for source in ("/dev/zero", "/dev/stdin"):
        result = aictl("data", "prep", source, cwd=project.root, timeout=60)
        assert result.returncode == 2 and "write what it gives to a file" in result.stderr
