"""Make a folder a workspace, where artifacts are kept.

Whatever lies in the folder stays as it is. The workspace is the folder with an aictl.toml in it;
commands find the nearest one upwards.
"""

from __future__ import annotations

from pathlib import Path

from aictl.core.answer import Document
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class InitSpec(Spec):
    """Where the workspace shall be."""

    folder: Path = option(Path(), positional=True, help="the folder; it is made if it is not there")


def run(work: Work[InitSpec]) -> Document:
    from aictl.workspace import project

    made = project.create(work.spec.folder)
    return Document({"workspace": str(made.root)}, text=str(made.root))


command = Command(run=run, spec=InitSpec, workspace="none")
