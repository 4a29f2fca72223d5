"""Print the folder of an artifact, for other programs to read from."""

from __future__ import annotations

from aictl.core.answer import Document
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class PathSpec(Spec):
    """Which artifact."""

    ref: str = option(positional=True, ref=True, help="the artifact")


def run(work: Work[PathSpec]) -> Document:
    from aictl.workspace.listing import artifact_path

    assert work.workspace
    return artifact_path(work.workspace, work.spec.ref)


command = Command(run=run, spec=PathSpec)
