"""Fetch artifacts from a store, with everything they were made from.

REF is a name there (NAME, NAME@N, KIND/NAME) or an id; `aictl artifact ls --store STORE` lists them.
Every byte is checked against the artifact's record, and nothing is kept if one differs. The name that
was asked for gets a new version here if it stood for something else. The path of each artifact is
printed, so that a command can go on from it: aictl artifact pull docs --store s3://b/p | aictl train -
"""

from __future__ import annotations

from aictl.core.answer import Document, Table
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class PullSpec(Spec):
    """Which artifacts, and where from."""

    refs: list[str] = option(positional=True, min_length=1, help="names or ids in the store")
    store: str = option("", help="where from: a URL or a folder; [artifact.pull] store in aictl.toml sets it for good")
    name: str | None = option(None, help="call it by another name here")
    lineage: bool = option(True, help="fetch what they were made from too")
    dry_run: bool = option(False, help="say what would be fetched and fetch nothing")


def run(work: Work[PullSpec]) -> Document | Table:
    from aictl.workspace.pull import pull

    assert work.workspace
    spec = work.spec
    return pull(
        work.workspace,
        spec.refs,
        spec.store,
        work.events,
        name=spec.name,
        lineage=spec.lineage,
        dry_run=spec.dry_run,
    )


command = Command(run=run, spec=PullSpec)
