"""Show what an artifact was made from, down to raw files, and what is stale."""

from __future__ import annotations

from aictl.core.answer import Document
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class LineageSpec(Spec):
    """Which artifact."""

    ref: str = option(positional=True, ref=True, help="the artifact")


def run(work: Work[LineageSpec]) -> Document:
    from aictl.workspace.listing import show_lineage

    assert work.workspace
    return show_lineage(work.workspace, work.spec.ref, work.events)


command = Command(run=run, spec=LineageSpec)
