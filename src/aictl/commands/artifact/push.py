"""Send artifacts to a store, with everything they were made from.

REF is an artifact of this workspace; the store is s3://BUCKET/PREFIX (Amazon, Ceph, MinIO by
AWS_ENDPOINT_URL), gs://, az://, hdfs://, webhdfs://, or a folder. Only what the store lacks is sent; a
push that was cut off goes on where it stopped. The artifact's name gets a new version there if it stood
for something else; `aictl artifact pull` brings it back.
"""

from __future__ import annotations

from aictl.core.answer import Table
from aictl.core.command import Command, Work
from aictl.core.spec import Spec, option


class PushSpec(Spec):
    """Which artifacts, and where to."""

    refs: list[str] = option(positional=True, ref=True, min_length=1, help="the artifacts")
    store: str = option("", help="where to: a URL or a folder; [artifact.push] store in aictl.toml sets it for good")
    lineage: bool = option(True, help="send what they were made from too")
    force: bool = option(False, help="send everything again, also what is there")
    dry_run: bool = option(False, help="say what would be sent and send nothing")


def run(work: Work[PushSpec]) -> Table:
    from aictl.workspace.push import push

    assert work.workspace
    spec = work.spec
    return push(
        work.workspace,
        spec.refs,
        spec.store,
        work.events,
        lineage=spec.lineage,
        force=spec.force,
        dry_run=spec.dry_run,
    )


command = Command(run=run, spec=PushSpec)
