"""Remembered digests: fast when nothing changed, never wrong when something did."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from aictl.workspace.digests import Digests


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def trusted(monkeypatch):
    """Files are old enough to be remembered at once."""
    monkeypatch.setattr("aictl.workspace.digests.RACY_NS", -(10**15))


def test_a_young_file_is_not_trusted(tmp_path):
    path = tmp_path / "f"
    path.write_text("a")
    digests = Digests(tmp_path / "digests")
    assert digests(path) == digest("a")
    digests.save()
    # Its change time is now, so an edit within the clock's grain could go unseen.
    assert not (tmp_path / "digests").exists()


def test_remembered_by_its_marks_and_read_again_with_rehash(tmp_path, monkeypatch, trusted):
    path = tmp_path / "f"
    path.write_text("a")
    digests = Digests(tmp_path / "digests")
    digests(path)
    digests.save()
    reads = []
    monkeypatch.setattr("aictl.workspace.digests.sha256", lambda path: reads.append(path) or "read")
    assert Digests(tmp_path / "digests")(path) == digest("a") and reads == []
    assert Digests(tmp_path / "digests", rehash=True)(path) == "read"
    path.write_text("b")
    assert Digests(tmp_path / "digests")(path) == "read"


def test_a_damaged_cache_is_done_without(tmp_path):
    (tmp_path / "digests").write_bytes(bytes(range(256)) * 100)
    path = tmp_path / "f"
    path.write_text("a")
    assert Digests(tmp_path / "digests")(path) == digest("a")


def test_a_line_torn_by_a_kill_loses_itself_alone(tmp_path, trusted):
    one, two, remembered = tmp_path / "one", tmp_path / "two", tmp_path / "digests"
    for path in (one, two):
        path.write_text(path.name)
    first = Digests(remembered)
    first(one)
    first.save()
    whole = remembered.read_bytes()
    for end in range(len(whole)):
        remembered.write_bytes(whole[:end])
        then = Digests(remembered)
        assert (then(one), then(two)) == (digest("one"), digest("two"))
        then.save()
        again = Digests(remembered)._load()
        assert (again[os.fsencode(one)][1], again[os.fsencode(two)][1]) == (digest("one"), digest("two"))


def test_runs_that_end_together_keep_the_digests_of_each(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}").write_text("x" * number)
    program = (
        "import sys; from pathlib import Path; from aictl.workspace import digests; digests.RACY_NS = -(10**15);"
        "known = digests.Digests(Path(sys.argv[1])); known(Path(sys.argv[2])); known.save()"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path / "digests", tmp_path / f"{number}"])
        for number in range(4)
    ]
    assert [run.wait() for run in runs] == [0] * 4
    known = Digests(tmp_path / "digests")._load()
    assert {path: digest for path, (_, digest) in known.items()} == {
        os.fsencode(tmp_path / f"{number}"): digest("x" * number) for number in range(4)
    }


def test_what_is_outdated_does_not_grow_without_end(tmp_path, trusted):
    path, remembered = tmp_path / "f", tmp_path / "digests"
    for number in range(50):
        path.write_text(str(number))
        digests = Digests(remembered)
        digests(path)
        digests.save()
    assert len(remembered.read_bytes().splitlines()) < 10
    assert Digests(remembered)._load()[os.fsencode(path)][1] == digest("49")


def test_names_that_are_no_text_are_remembered(tmp_path, trusted):
    path = tmp_path / os.fsdecode(b"caf\xe9 \xff")
    path.write_text("a")
    digests = Digests(tmp_path / "digests")
    digests(path)
    digests.save()
    assert Digests(tmp_path / "digests")._load()[os.fsencode(path)][1] == digest("a")


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path, trusted):
    path = tmp_path / "f"
    path.write_text("a")
    digests = Digests(tmp_path / "missing" / "digests")
    assert digests(path) == digest("a")
    digests.save()
    assert not (tmp_path / "missing").exists()
