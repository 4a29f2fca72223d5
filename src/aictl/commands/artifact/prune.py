"""Remove older versions and unnamed artifacts that nothing kept was made from."""

from __future__ import annotations

from aictl.core.answer import Table
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class PruneSpec(Spec):
    """How far to prune."""

    dry_run: bool = option(False, help="say what would be removed and remove nothing")


def run(work: Work[PruneSpec]) -> Table:
    from aictl.workspace.removal import prune

    assert work.workspace
    return prune(work.workspace, dry_run=work.spec.dry_run)


command = Command(run=run, spec=PruneSpec)
