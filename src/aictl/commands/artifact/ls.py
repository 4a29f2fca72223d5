"""List the artifacts, each with its version, size and whether it is still fresh.

States: fresh; stale, when its input has changed since; unnamed artifacts are shown by their id.
With --all also older versions.
"""

from __future__ import annotations

from aictl.core.answer import Table
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class LsSpec(Spec):
    """Which artifacts to list."""

    kind: str | None = option(None, help="list this kind alone")
    all: bool = option(False, help="list older versions too")


def run(work: Work[LsSpec]) -> Table:
    from aictl.workspace.listing import list_artifacts

    assert work.workspace
    return list_artifacts(work.workspace, work.events, kind=work.spec.kind, older=work.spec.all)


command = Command(run=run, spec=LsSpec)
