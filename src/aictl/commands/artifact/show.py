"""Show what is known of an artifact: what made it, from what, with which result.

--get prints one value of the record, such as metrics.perplexity or inputs.0.id.
"""

from __future__ import annotations

from aictl.core.answer import Document
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class ShowSpec(Spec):
    """Which artifact, and what of it."""

    ref: str = option(positional=True, ref=True, help="the artifact")
    get: str | None = option(None, help="print this one value: a dotted path into the record")


def run(work: Work[ShowSpec]) -> Document:
    from aictl.workspace.listing import show_artifact

    assert work.workspace
    return show_artifact(work.workspace, work.spec.ref, work.events, get=work.spec.get)


command = Command(run=run, spec=ShowSpec)
