"""Edits are never lost, and never called damage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from aictl.artifacts.app import LEDGER_NAME
from aictl.core.errors import BadRequest


@pytest.fixture
def copy(project) -> Path:
    return project.root / "helpbot"


def test_edits_are_listed(make, copy):
    app = make()
    (copy / "README.md").write_text("mine")
    (copy / "Dockerfile").unlink()
    (copy / "app/extra.py").write_text("mine")
    for made_by_tools in ("__pycache__/x.pyc", ".venv/x.py", ".git/x", "helpbot.egg-info/x"):
        path = copy / made_by_tools
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    assert sorted(app.edits()) == ["added app/extra.py", "edited README.md", "removed Dockerfile"]
    app.check()
    assert app.in_place()


def test_an_app_whose_copy_is_gone_is_not_in_place(make, copy):
    app = make()
    shutil.rmtree(copy)
    assert not app.in_place()
    assert app.edits() == ["removed helpbot/"]
    assert make().in_place()


def test_scaffolding_again_changes_nothing_where_nothing_changed(make, copy, notes):
    make()
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file() and path.name != LEDGER_NAME}
    make()
    after = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file() and path.name != LEDGER_NAME}
    assert after == before
    assert notes == []


def test_an_edited_file_is_kept_and_the_new_one_written_beside(make, copy, notes):
    first = make()
    (copy / "README.md").write_text("mine")
    second = make(title="Another")
    assert (copy / "README.md").read_text() == "mine"
    assert (copy / "README.md.new").read_bytes() == (second.folder / "files/README.md").read_bytes()
    assert (copy / "README.md.new").read_bytes() != (first.folder / "files/README.md").read_bytes()
    assert notes == ["README.md was edited and is kept; the new one is README.md.new"]
    assert "Another" in (copy / "app/static/index.html").read_text()
    assert second.edits() == ["edited README.md"]


def test_what_lies_beside_is_renewed_unless_it_was_edited_too(make, copy):
    make()
    (copy / "README.md").write_text("mine")
    make(title="One")
    make(title="Two")
    assert "Two" in (copy / "README.md.new").read_text()
    (copy / "README.md.new").write_text("merging")
    make(title="Three")
    assert (copy / "README.md.new").read_text() == "merging"
    assert "Three" in (copy / "README.md.new2").read_text()


def test_an_edit_that_was_taken_back_is_no_edit(make, copy, notes):
    first = make()
    (copy / "README.md").write_text("mine")
    shutil.copy(first.folder / "files/README.md", copy / "README.md")
    make(title="Another")
    assert "Another" in (copy / "README.md").read_text()
    assert notes == []


def test_a_removed_file_stays_away(make, copy, notes):
    make()
    (copy / "Dockerfile").unlink()
    second = make(title="Another")
    assert not (copy / "Dockerfile").exists()
    assert notes == ["Dockerfile was removed, and stays so"]
    assert second.edits() == ["removed Dockerfile"]


def test_a_file_that_the_template_lost_goes_unless_it_was_edited(make, copy, template):
    (template / "old.txt").write_text("old")
    (template / "kept.txt").write_text("old")
    make(template=str(template))
    (copy / "kept.txt").write_text("mine")
    (template / "old.txt").unlink()
    (template / "kept.txt").unlink()
    app = make(template=str(template))
    assert not (copy / "old.txt").exists()
    assert (copy / "kept.txt").read_text() == "mine"
    assert app.edits() == ["added kept.txt"]


def test_links_are_not_followed_out(make, copy, tmp_path):
    make()
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.copy(copy / "README.md", outside / "README.md")
    kept = (outside / "README.md").read_bytes()
    (copy / "README.md").unlink()
    (copy / "README.md").symlink_to(outside / "README.md")
    make(title="Another")
    assert (outside / "README.md").read_bytes() == kept
    assert "Another" in (copy / "README.md").read_text()


def test_a_folder_that_became_a_link_out_is_left_alone(make, copy, tmp_path):
    make()
    outside = tmp_path / "outside"
    shutil.copytree(copy / "app", outside)
    before = {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()}
    shutil.rmtree(copy / "app")
    (copy / "app").symlink_to(outside)
    with pytest.raises(BadRequest, match="app"):
        make(title="Another")
    assert {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()} == before


def test_a_kill_while_files_are_written_makes_no_edits(make, copy, monkeypatch):
    from aictl.app import working_copy

    whole = working_copy._copy
    written = []

    def die_at_the_third(source: Path, target: Path) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(target)
        whole(source, target)

    monkeypatch.setattr(working_copy, "_copy", die_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        make()
    monkeypatch.undo()
    app = make(title="Another")
    assert app.edits() == []
    assert not list(copy.rglob("*.new"))


def test_a_broken_ledger_is_said(make, copy):
    make()
    (copy / LEDGER_NAME).write_text("{")
    with pytest.raises(BadRequest, match=LEDGER_NAME):
        make()


def test_the_ledger_knows_every_version(make, copy):
    make()
    make(title="Another")
    ledger = json.loads((copy / LEDGER_NAME).read_text())
    assert len(ledger["given"]["README.md"]) == 2
    assert ledger["current"]["README.md"] == ledger["given"]["README.md"][1]
