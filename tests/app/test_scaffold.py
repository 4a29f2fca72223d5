"""What a scaffold renders, records and refuses."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from aictl.app.spec import ScaffoldSpec
from aictl.artifacts.app import digest
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.core.errors import BadInput, BadRequest, Damaged, WrongKind


def test_the_artifact_records_template_answers_and_digests(make, project):
    app = make()
    facts = json.loads((app.folder / "app.json").read_text())
    assert facts["template"]["name"] == "customer-service"
    assert facts["answers"] == {"name": "helpbot", "title": "Helpbot", "model": "support", "docs": "docs"}
    assert facts["folder"] == "helpbot"
    pristine = app.folder / "files"
    assert facts["files"] == {
        path.relative_to(pristine).as_posix(): digest(path) for path in pristine.rglob("*") if path.is_file()
    }
    app.check()
    (pristine / "Makefile").unlink()
    with pytest.raises(Damaged, match="Makefile"):
        app.check()


def test_nothing_in_the_artifact_tells_where_it_was_made(make, project, tmp_path):
    app = make()
    for path in app.folder.rglob("*"):
        assert not path.is_file() or str(tmp_path).encode() not in path.read_bytes(), path


def test_the_working_copy_is_the_pristine_copy(make, project):
    app = make()
    copy = project.root / "helpbot"
    assert app.copy == copy and app.in_place()
    assert app.edits() == []
    for path in app.facts["files"]:
        assert (copy / path).read_bytes() == (app.folder / "files" / path).read_bytes()


def test_every_document_of_every_split_comes_along(make, project, docs):
    make()
    lines = (project.root / "helpbot/data/documents.jsonl").read_text("utf-8").splitlines()
    assert sorted(json.loads(line)["source"] for line in lines) == ["gifts.md", "returns.md", "shipping.md"]
    assert "«ever»" in "".join(lines)


def test_conversations_are_no_documents(make, tmp_path):
    with DatasetWriter(tmp_path, "chat") as writer:
        writer.add("train", {"messages": [{"role": "user", "content": "hi"}], "source": "x"})
    with pytest.raises(WrongKind, match="chat"):
        make(Dataset(tmp_path, name="chats"))


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/b", "", ".", "..", ".hidden", "artifacts", "x" * 65, "a\nb"])
def test_a_name_that_would_lead_out_is_refused(name):
    with pytest.raises(ValidationError, match="name"):
        ScaffoldSpec(template="customer-service", name=name)


def test_a_folder_of_somebody_else_is_not_touched(make, project):
    other = project.root / "helpbot"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(BadRequest, match="no scaffold put there"):
        make()
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


def test_a_link_out_of_the_workspace_is_refused(make, project, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (project.root / "helpbot").symlink_to(elsewhere)
    with pytest.raises(BadRequest, match="out of the workspace"):
        make()
    assert not list(elsewhere.iterdir())


def test_a_file_in_the_way_is_said(make, project):
    (project.root / "helpbot").write_text("mine")
    with pytest.raises(BadRequest, match="is a file"):
        make()


def test_a_template_of_ones_own(make, project, template):
    app = make(template=str(template), answer=["greeting=Good day"])
    assert (project.root / "helpbot/README.md").read_text() == "Good day from helpbot, with support.\n"
    assert (project.root / "helpbot/run.sh").stat().st_mode & 0o100
    assert app.facts["template"]["name"] == "mine"


def test_a_template_that_wants_to_run_code_is_refused(make, project, template):
    (template / "copier.yml").write_text("_tasks: ['touch ran']\n")
    with pytest.raises(BadRequest, match="run code"):
        make(template=str(template))
    assert not (project.root / "helpbot").exists()


@pytest.mark.parametrize("broken", ["{{ name", "{% if %}", "{{ 1 / 0 | nothing }}"])
def test_a_broken_template_is_named(make, template, broken):
    (template / "README.md.jinja").write_text(broken)
    with pytest.raises(BadInput, match="mine"):
        make(template=str(template))


def test_an_answer_the_template_does_not_take_is_refused(make):
    with pytest.raises(BadInput, match="colour"):
        make(answer=["accent=red; } * { display: none"])


def test_a_title_stays_text(make, project):
    make(title='<b>"Ö"</b>')
    page = (project.root / "helpbot/app/static/index.html").read_text()
    assert "<b>" not in page and "&lt;b&gt;" in page
    compile((project.root / "helpbot/app/settings.py").read_text(), "settings.py", "exec")
