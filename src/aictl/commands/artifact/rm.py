"""Remove artifacts; refused while something that is kept was made from them.

REF is a name (all its versions), NAME@N (one version), or an id.
"""

from __future__ import annotations

from aictl.core.answer import Table
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class RmSpec(Spec):
    """Which artifacts to remove."""

    refs: list[str] = option(positional=True, ref=True, min_length=1, help="the artifacts")
    force: bool = option(False, help="remove them although something was made from them")


def run(work: Work[RmSpec]) -> Table:
    from aictl.workspace.removal import remove

    assert work.workspace
    return remove(work.workspace, work.spec.refs, force=work.spec.force)


command = Command(run=run, spec=RmSpec)
