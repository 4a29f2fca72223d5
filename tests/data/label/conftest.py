"""Labelling functions and whole labellings, made by a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from aictl.artifacts.dataset import Dataset
from aictl.commands.data.label import command
from aictl.core.artifact import Source
from aictl.core.events import silent
from aictl.data.label.declaration import Declaration, read
from aictl.data.label.functions import Means, Voter, open_functions
from aictl.data.label.spec import LabelSpec
from aictl.testing.workspace import Bench, workspace  # noqa: F401

LABELS = '[labels]\nweather = "the weather"\nalarm = "an alarm"\nother = ""\n'


@pytest.fixture
def declare(tmp_path):
    """``declare('[functions.a]\\n...')`` reads a labels.toml of three labels and these functions."""

    def make(functions: str) -> Declaration:
        path = tmp_path / "labels.toml"
        path.write_text(LABELS + functions, "utf-8")
        return read(path)

    return make


@pytest.fixture
def means(tmp_path):
    """What functions may use: ``means(code=[path], model="tiny")``."""

    def make(*, code=(), embedder=None, classifier=None, answers=(), events=silent, **options) -> Means:
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        sources = [Source(str(path), path, "") for path in code]
        models = [Source(str(path), path, "") if path else None for path in (embedder, classifier)]
        return Means(LabelSpec(**options), sources, *models, answers, scratch, events)

    return make


@pytest.fixture
def open_one(declare, means):
    """``open_one('kind = ...')`` opens one function; the labels are weather 0, alarm 1, other 2."""

    def make(table: str, **more) -> Voter:
        return open_functions(declare(f"[functions.one]\n{table}\n"), means(**more))["one"]

    return make


@pytest.fixture
def texts(workspace: Bench):  # noqa: F811
    """``texts(["...", ...])`` keeps a dataset of these texts in the workspace."""
    numbers = iter(range(100))

    def make(train: list[str], validation: list[str] = ()) -> Dataset:
        from aictl.artifacts.dataset import DatasetWriter

        name = f"texts{next(numbers)}"
        with DatasetWriter(workspace.folder(name), "text") as writer:
            for split, some in (("train", train), ("validation", validation)):
                for number, text in enumerate(some):
                    writer.add(split, {"text": text, "source": f"{split}:{number}"})
        return workspace.keep(Dataset(writer.folder), name=name)

    return make


@pytest.fixture
def label(workspace: Bench, tmp_path):  # noqa: F811
    """``label(dataset, toml, uncovered="drop")`` runs the command; returns its outcome."""

    def make(dataset, toml: str | Path, *, labels: str = LABELS, roles=None, **options):
        if not isinstance(toml, Path):
            path = tmp_path / "labels.toml"
            path.write_text(labels + toml, "utf-8")
            toml = path
        refs = {"dataset": dataset, "functions": toml}
        for role in ("code", "reviewed", "answers", "embedder", "classifier"):
            if role in options:
                refs[role] = options.pop(role)
        return workspace.run_command(command, refs, path="data.label", **options)

    return make
