"""Finding templates, and their digest as part of what was asked for."""

from __future__ import annotations

import json
import shutil

import pytest

from aictl.app.spec import ScaffoldSpec
from aictl.app.templates import find, shipped
from aictl.core.errors import BadInput, NotFound
from aictl.core.spec import result_options


def test_an_unknown_template_lists_those_there_are():
    with pytest.raises(NotFound, match=r"'pizza'.*customer-service"):
        ScaffoldSpec(template="pizza", name="x")


def test_a_folder_without_questions_is_no_template(tmp_path):
    with pytest.raises(NotFound):
        find(str(tmp_path))


def test_an_edited_template_is_another_one(template):
    first = result_options(ScaffoldSpec(template=str(template), name="x"))
    assert result_options(ScaffoldSpec(template=str(template), name="x")) == first
    (template / "__pycache__").mkdir()
    (template / "__pycache__/x.pyc").write_bytes(b"x")
    assert result_options(ScaffoldSpec(template=str(template), name="x")) == first
    (template / "run.sh").chmod(0o644)
    second = result_options(ScaffoldSpec(template=str(template), name="x"))
    assert second != first
    (template / "run.sh").write_text("#!/bin/bash\n")
    assert result_options(ScaffoldSpec(template=str(template), name="x")) not in (first, second)


def test_a_digest_pins_the_template():
    digest = find("customer-service").digest
    assert ScaffoldSpec(template="customer-service", name="x", template_sha256=digest).template_sha256 == digest
    with pytest.raises(BadInput, match=f"sha256 {digest}, and {'0' * 64}"):
        ScaffoldSpec(template="customer-service", name="x", template_sha256="0" * 64)


def test_where_a_template_lies_does_not_count(template, tmp_path, monkeypatch):
    first = result_options(ScaffoldSpec(template=str(template), name="x"))
    shutil.copytree(template, tmp_path / "elsewhere" / "copied")
    monkeypatch.chdir(tmp_path)
    assert result_options(ScaffoldSpec(template="mine", name="x")) == first
    assert result_options(ScaffoldSpec(template="elsewhere/copied", name="x")) == first
    assert ScaffoldSpec(template="mine", name="x").template == "mine"  # the record says what was asked for


def test_the_same_template_from_another_folder_is_up_to_date(chat_workspace, template, tmp_path, aictl):
    (tmp_path / "notes").mkdir()
    for number in range(20):
        (tmp_path / "notes" / f"{number}.txt").write_text(f"Note {number}: shoes come back within {number} days. " * 3)
    assert aictl("data", "prep", tmp_path / "notes", "--name", "docs", cwd=chat_workspace).returncode == 0
    words = ["helpbot", "--model", "tiny", "--docs", "docs", "--workspace", chat_workspace, "--json"]
    made = [
        aictl("app", "scaffold", asked, *words, cwd=place)
        for asked, place in (("mine", tmp_path), (".", template), (template, chat_workspace))
    ]
    assert [json.loads(done.stdout or "{}").get("up_to_date") for done in made] == [False, True, True], made
    (template / "run.sh").write_text("#!/bin/bash\n")
    assert json.loads(aictl("app", "scaffold", "mine", *words, cwd=tmp_path).stdout)["up_to_date"] is False


def test_every_shipped_template_has_its_test():
    assert list(shipped()) == ["customer-service"]
