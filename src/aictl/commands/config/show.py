"""Show the options in force, and where each of them comes from."""

from __future__ import annotations

from aictl.core.answer import Table
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class ShowSpec(Spec):
    """Which options."""

    command: list[str] = option([], positional=True, help="the command, such as `finetune lora`; all if none is named")
    changed: bool = option(False, help="only options that are not at their default")


def run(work: Work[ShowSpec]) -> Table:
    from aictl.workspace.listing import show_config

    return show_config(work.workspace, ".".join(work.spec.command), changed=work.spec.changed)


command = Command(run=run, spec=ShowSpec, workspace="optional")
