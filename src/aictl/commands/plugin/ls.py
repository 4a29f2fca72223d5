"""List the commands and kinds of artifact, and the distributions that offer them.

Nothing is imported unless --load is given, which tries every one and says what fails.
"""

from __future__ import annotations

from aictl.core.answer import Table
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class LsSpec(Spec):
    """How to look."""

    load: bool = option(False, help="import each one, to find out whether it works")


def run(work: Work[LsSpec]) -> Table:
    from aictl.core import doors
    from aictl.core.errors import AictlError

    rows = []
    for group, what in ((doors.COMMANDS, "command"), (doors.KINDS, "artifact")):
        for name, door in doors.doors(group).items():
            brings = " and ".join(door.distributions) if isinstance(door, doors.Clash) else door.distribution
            version = "" if isinstance(door, doors.Clash) else door.version
            state = "refused" if isinstance(door, doors.Clash) else "found"
            about = door.summary()
            if work.spec.load:
                try:
                    door.load()
                    state = "works"
                except AictlError as error:
                    state, about = "broken", error.message
            rows.append((what, name.replace(".", " ") if what == "command" else name, brings, version, state, about))
    styles = {"state": {"works": "green", "broken": "red", "refused": "red"}}
    return Table(
        ("what", "name", "distribution", "version", "state", "about"),
        rows,
        styles=styles,
        spare=("version",),
        cut="about",
    )


command = Command(run=run, spec=LsSpec, workspace="none")
