"""A workspace on disk with a model and a dataset, and one scaffold in it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from aictl.app.scaffold import scaffold
from aictl.app.spec import ScaffoldSpec
from aictl.artifacts.app import App
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.core.events import Events, Noted

DOCUMENTS = [
    {"text": "You can return shoes within thirty days.", "source": "returns.md"},
    {"text": "Orders are shipped within two days by bicycle.", "source": "shipping.md"},
    {"text": "Gift cards never expire — «ever».", "source": "gifts.md"},
]


@pytest.fixture
def docs(tmp_path: Path) -> Dataset:
    folder = tmp_path / "docs"
    folder.mkdir()
    with DatasetWriter(folder, "text") as writer:
        for number, document in enumerate(DOCUMENTS):
            writer.add("train" if number else "validation", document)
    return Dataset(folder, name="docs")


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def make(project, docs: Dataset, notes: list[str], tmp_path: Path) -> Callable[..., App]:
    """``make(template=..., name=...)`` scaffolds as the command does, without the runner."""
    numbers = count()

    def begin(dataset: Dataset = docs, **options: object) -> App:
        folder = project.making / f"key-{next(numbers)}" / "made"
        folder.mkdir(parents=True)
        spec = ScaffoldSpec(**{"template": "customer-service", "name": "helpbot", **options})
        events = Events(lambda event: notes.append(event.message) if isinstance(event, Noted) else None)
        model = Checkpoint(tmp_path, name="support")
        return scaffold(model, dataset, spec, folder, workspace=project.root, events=events)

    return begin


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A template of the user's own."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "copier.yml").write_text("name: {type: str}\nmodel: {type: str}\ngreeting: {type: str, default: Hello}\n")
    (folder / "README.md.jinja").write_text("{{ greeting }} from {{ name }}, with {{ model }}.\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    return folder
