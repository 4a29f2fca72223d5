"""List the artifacts, each with its version, size and whether it is still fresh.

States: fresh; stale, when its input has changed since; unnamed artifacts are shown by their id.
With --all also older versions. With --store those in a store: the current version of each name, and what
has no name, such as that from which something was made.
"""

from __future__ import annotations

from aictl.core.answer import Table
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class LsSpec(Spec):
    """Which artifacts to list."""

    kind: str | None = option(None, help="list this kind alone")
    all: bool = option(False, help="list older versions too")
    store: str | None = option(None, help="list what was pushed there: a URL or a folder")


def run(work: Work[LsSpec]) -> Table:
    from aictl.workspace.listing import list_artifacts

    assert work.workspace
    if work.spec.store is not None:
        from aictl.workspace.stored import list_stored

        return list_stored(work.spec.store, kind=work.spec.kind, older=work.spec.all)
    return list_artifacts(work.workspace, work.events, kind=work.spec.kind, older=work.spec.all)


command = Command(run=run, spec=LsSpec)
