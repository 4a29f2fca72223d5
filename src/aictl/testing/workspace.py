"""A pytest fixture: an empty workspace in which commands are run as ``aictl`` runs them.

    from aictl.testing.workspace import Bench, workspace  # noqa: F401

    def test_counts_words(workspace: Bench) -> None:
        docs = workspace.keep(my_dataset(workspace.folder("docs")), name="docs")
        outcome = workspace.run_command(command, {"dataset": docs}, unit="words")
        assert outcome.artifact.metrics["total"] == 3

Settings come from defaults and the given options alone: neither an ``aictl.toml`` nor the
environment of whoever runs the tests has a say.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from aictl.core.artifact import Artifact
from aictl.core.command import Command, NoOptions, Work
from aictl.core.events import Event, Events
from aictl.workspace.config import settle
from aictl.workspace.project import create
from aictl.workspace.run import Outcome, Request, Runner

Ref: TypeAlias = "str | Path | Artifact"


class Bench:
    """A workspace at ``root``; ``told`` holds every event of its runs."""

    def __init__(self, root: Path) -> None:
        self.project = create(root)
        self.root = self.project.root
        self.told: list[Event] = []
        self._runs = 0

    def run_command(
        self,
        command: Command,
        refs: Mapping[str, Ref | Sequence[Ref]] | None = None,
        *,
        name: str | None = None,
        force: bool = False,
        path: str = "command.under.test",
        **options: Any,
    ) -> Outcome:
        """Run a command through the real runner: settings checked, inputs resolved, key computed,
        result checked, hashed and stored.

        ``refs`` gives each role what a person would type, or an artifact or path itself; ``options``
        are the Spec's by flat name; ``path`` is the command's dotted name, which enters the key.
        Raises what the command would exit with.
        """
        spec = settle(path, command.spec, options, environment={}).spec
        words = {role: tuple(map(_word, _several(given))) for role, given in (refs or {}).items()}
        request = Request(path, command, spec, words, name=name, force=force)
        return Runner(self.project, Events(self.told.append)).run(request)

    def keep(self, artifact: Artifact, name: str) -> Artifact:
        """Store files that a test wrote itself, as if a command had made them; returns the stored
        artifact, which can be given to :meth:`run_command`."""

        def copy(work: Work[NoOptions]) -> Artifact:
            shutil.copytree(artifact.folder, work.folder, dirs_exist_ok=True)
            return type(artifact)(work.folder, metrics=artifact.metrics, summary=artifact.summary)

        command = Command(run=copy, makes=(type(artifact),), observes=True)
        kept = self.run_command(command, name=name, path="test.keep").artifact
        assert kept is not None
        return kept

    def folder(self, name: str) -> Path:
        """A new empty folder outside the workspace, for a test to write files into."""
        place = self.root.parent / f"{self.root.name}-{name}"
        place.mkdir()
        return place


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Bench]:
    """An empty workspace."""
    yield Bench(tmp_path / "workspace")


def _several(given: Ref | Sequence[Ref]) -> Sequence[Ref]:
    return (given,) if isinstance(given, str | Path | Artifact) else given


def _word(ref: Ref) -> str:
    return str(ref.folder) if isinstance(ref, Artifact) else str(ref)
