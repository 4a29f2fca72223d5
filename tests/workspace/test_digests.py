"""Remembered digests: fast when nothing changed, never wrong when something did."""

from __future__ import annotations

import hashlib
import os

from aictl.workspace.digests import Digests


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def old(path):
    os.utime(path, (10**9, 10**9))


def test_a_young_file_is_not_trusted(tmp_path):
    path = tmp_path / "f"
    path.write_text("a")
    digests = Digests(tmp_path / "digests.db")
    assert digests(path) == digest("a")
    digests.save()
    # Its change time is now, so an edit within the clock's grain could go unseen.
    assert not (tmp_path / "digests.db").exists()


def test_remembered_by_its_marks_and_read_again_with_rehash(tmp_path, monkeypatch):
    path = tmp_path / "f"
    path.write_text("a")
    monkeypatch.setattr("aictl.workspace.digests.RACY_NS", -(10**15))
    digests = Digests(tmp_path / "digests.db")
    digests(path)
    digests.save()
    reads = []
    monkeypatch.setattr("aictl.workspace.digests.sha256", lambda path: reads.append(path) or "read")
    assert Digests(tmp_path / "digests.db")(path) == digest("a") and reads == []
    assert Digests(tmp_path / "digests.db", rehash=True)(path) == "read"
    path.write_text("b")
    assert Digests(tmp_path / "digests.db")(path) == "read"


def test_a_damaged_cache_is_done_without(tmp_path):
    (tmp_path / "digests.db").write_bytes(b"no database" * 100)
    path = tmp_path / "f"
    path.write_text("a")
    assert Digests(tmp_path / "digests.db")(path) == digest("a")
