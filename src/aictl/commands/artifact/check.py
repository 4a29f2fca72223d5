"""Hash artifacts again and compare with their records; exit 6 on a difference.

Files of an app that were edited are listed as edits: that copy is the user's, and editing it is no
damage.
"""

from __future__ import annotations

from aictl.core.answer import Table
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class CheckSpec(Spec):
    """Which artifacts to check."""

    refs: list[str] = option([], positional=True, ref=True, help="the artifacts; all of them if none is named")


def run(work: Work[CheckSpec]) -> Table:
    from aictl.workspace.listing import check_artifacts

    assert work.workspace
    return check_artifacts(work.workspace, work.spec.refs, work.events)


command = Command(run=run, spec=CheckSpec)
