"""Render a template into an artifact, and bring the working copy to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import yaml
from copier import Settings, run_copy
from copier.errors import CopierError, UnsafeTemplateError

from aictl.app import working_copy
from aictl.app.spec import ScaffoldSpec
from aictl.app.templates import Template, find
from aictl.artifacts.app import App, digest
from aictl.artifacts.dataset import Dataset
from aictl.core.artifact import Artifact
from aictl.core.errors import BadInput, BadRequest
from aictl.core.events import Events

DOCUMENTS = "data/documents.jsonl"


def scaffold(
    model: Artifact, docs: Dataset, spec: ScaffoldSpec, folder: Path, *, workspace: Path, events: Events
) -> App:
    """Render ``spec.template`` into ``folder`` with the documents of ``docs``, and write or update
    the working copy ``workspace/NAME``.

    Raises :class:`BadRequest` if that place is taken or the template wants to run code,
    ``WrongKind`` for a dataset without documents, :class:`BadInput` for a template that cannot be
    rendered.
    """
    docs.require_format("text", cure="prepare the documents with: aictl data prep DOCS... --format text")
    template = find(spec.template, spec.template_sha256)
    copy = workspace / spec.name
    working_copy.require_free(copy, workspace)
    answers = {**spec.answers(), "model": model.label, "docs": docs.label}
    pristine = folder / "files"
    events.started(f"render {template.name}")
    _render(template, pristine, answers)
    count = _write_documents(docs, pristine / DOCUMENTS)
    files = {path: digest(pristine / path) or "" for path in _files(pristine)}
    facts = {
        "template": {"name": template.name, "digest": template.digest},
        "answers": answers,
        "folder": spec.name,
        "files": files,
    }
    (folder / "app.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")
    working_copy.update(copy, pristine, files, events)
    events.finished(f"render {template.name}")
    summary = f"{template.name} in {spec.name}/: {len(files)} files, {count} documents, model {model.label}"
    return App(folder, metrics={"files": len(files), "documents": count}, summary=summary)


def _render(template: Template, target: Path, answers: dict[str, str]) -> None:
    try:
        run_copy(
            str(template.folder),
            target,
            data=answers,
            settings=Settings(),  # the user's own defaults and trust stay out: they are in no record
            defaults=True,
            quiet=True,
            unsafe=False,
        )
    except UnsafeTemplateError as error:
        raise BadRequest(
            f"template '{template.text}' wants to run code: {error}", cure="take its tasks and extensions out"
        ) from error
    except (CopierError, jinja2.TemplateError, yaml.YAMLError, ValueError) as error:
        raise BadInput(f"template '{template.text}' cannot be rendered: {error}") from error


def _write_documents(docs: Dataset, path: Path) -> int:
    """Every document of every split, one JSON object a line; returns how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for split in docs.splits:
            for document in docs.documents(split):
                kept: dict[str, Any] = {"text": document["text"], "source": document.get("source", "")}
                file.write(json.dumps(kept, ensure_ascii=False) + "\n")
                count += 1
    return count


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
