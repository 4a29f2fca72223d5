"""A bench on which the runner is tried, with the small commands beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aictl.core.command import Command, Work
from aictl.core.events import silent
from aictl.workspace.run import Outcome, Request, Runner

sys.path.insert(0, str(Path(__file__).parent))
from tests_workspace_commands import ADD, COUNT


@dataclass
class Bench:
    """Runs commands in a workspace and counts how often their work was really done."""

    project: Any
    ran: list[str] = field(default_factory=list)

    def run(self, command: Command, refs: Sequence[str | Path] = (), name: str | None = None, **more: Any) -> Outcome:
        role = command.takes[0].role
        spec = more.pop("spec", {})
        path = more.pop("path", "count" if command is COUNT else "add")

        def counted(work: Work[Any]) -> Any:
            self.ran.append(path)
            return command.run(work)

        watched = command._replace(run=counted)
        request = Request(path, watched, command.spec(**spec), {role: tuple(map(str, refs))}, name=name, **more)
        return self.runner().run(request)

    def runner(self, **more: Any) -> Runner:
        return Runner(self.project, silent, **more)

    def count(self, *files: Path, name: str | None = None, **more: Any) -> Outcome:
        return self.run(COUNT, files, name, **more)

    def add(self, *refs: str, name: str | None = None, **more: Any) -> Outcome:
        return self.run(ADD, refs, name, **more)


@pytest.fixture
def bench(project) -> Bench:
    return Bench(project)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def written(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return written
