"""Artifacts from a workspace to a store, with what they were made from.

Only what the store lacks is sent: an artifact that is there is not looked into, and of any other
only the files that no artifact there has. What goes first and what last, so that nobody ever sees half of an
artifact, is :mod:`aictl.stores.depot`'s part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from aictl.core.answer import Table
from aictl.core.artifact import RECORD_NAME
from aictl.core.errors import Damaged
from aictl.core.events import Events
from aictl.workspace import locks, refs
from aictl.workspace.digests import Digests
from aictl.workspace.lineage import ancestry
from aictl.workspace.project import Project
from aictl.workspace.store import Store

if TYPE_CHECKING:
    from aictl.stores.depot import Depot
    from aictl.stores.manifest import Blob

COLUMNS = ("artifact", "kind", "id", "state", "size_bytes", "sent_bytes")


class _Asked(NamedTuple):
    """An artifact that somebody named, and the name that it is to have there."""

    object: str
    name: str | None


def push(
    root: Path, named: Sequence[str], to: str, events: Events, *, lineage: bool, force: bool, dry_run: bool
) -> Table:
    """Send artifacts to the store at ``to``, and with ``lineage`` everything they were made from.

    Returns a row for each, with the version that its name has there. With ``force`` what is there is sent
    again. Raises :class:`Damaged` for an artifact that is not whole here, and what the store raises.
    """
    from aictl.stores import depot as depots
    from aictl.stores.crew import Crew

    depot = depots.at(to)
    project = Project(root)
    store = Store(project)
    with _held(store, named, events, lineage=lineage) as (asked, objects):
        task = f"push to {depot.address.shown}"
        depot.begin(dry_run=dry_run)
        there = set() if force else depot.present(objects, Crew())
        lacking = _lacking(store, depot, [one for one in objects if one not in there], all_of_them=force)
        if lacking and not dry_run:
            total = sum(blob.size_bytes for files in lacking.values() for blob in files)
            events.started(task, float(total), "bytes")
            crew = Crew(lambda moved: events.advanced(task, moved))
            with crew.telling_what_is_kept(total):
                for object, files in lacking.items():
                    depot.send(files, crew)
                    depot.put_record(object, (project.store / object / RECORD_NAME).read_bytes())
            events.finished(task)
        labels = {} if dry_run else _bound(store, depot, asked)
    sizes = {object: sum(blob.size_bytes for blob in files) for object, files in lacking.items()}
    return _table(store, objects, sizes, labels, "would be sent" if dry_run else "sent")


@contextmanager
def _held(
    store: Store, named: Sequence[str], events: Events, *, lineage: bool
) -> Iterator[tuple[list[_Asked], list[str]]]:
    """The artifacts that were named and everything to send, ancestors first, none of it removed meanwhile."""
    with ExitStack() as held:
        with locks.shared(store.project.lock):
            asked = []
            for ref in named:
                found = refs.resolve(store, ref)
                asked.append(_Asked(found.object, found.name or store.first_name(found.object)))
            objects = list(dict.fromkeys(one.object for one in asked))
            if lineage:
                objects, gone = ancestry(store, objects)
                for row in gone:
                    events.noted(
                        f"{row.kind} '{row.name or row.id[:12]}' is no longer here, so that the lineage ends before it",
                        "warning",
                    )
            for object in objects:
                held.enter_context(locks.shared(store.lock_of(object)))
        yield asked, objects


def _lacking(store: Store, depot: Depot, objects: Sequence[str], *, all_of_them: bool) -> dict[str, dict[Blob, Path]]:
    """For each artifact its files that the store lacks; one that two artifacts have counts once."""
    from aictl.stores.crew import Crew
    from aictl.stores.manifest import blobs_of

    digests = Digests(store.project.digests)
    files: dict[Blob, Path] = {}
    of: dict[str, list[Blob]] = {}
    for object in objects:
        record, folder = store.record(object), store.project.store / object
        of[object] = []
        for blob, paths in blobs_of(record).items():
            for path in paths:
                if digests(folder / path) != blob.sha256:
                    raise Damaged(f"{record.kind} '{_label(store, object)}': {path} is not what was made")
            if blob not in files:
                files[blob] = folder / paths[0]
                of[object].append(blob)
    digests.save()
    missing = files if all_of_them else depot.missing(files, Crew())
    return {object: {blob: missing[blob] for blob in blobs if blob in missing} for object, blobs in of.items()}


def _bound(store: Store, depot: Depot, asked: Sequence[_Asked]) -> dict[str, str]:
    """Give what was named its name in the store; returns the version of each."""
    labels = {}
    for object, name in asked:
        if name is not None:
            record = store.record(object)
            labels[object] = depot.bind(record.kind, name, object, record.id).label
    return labels


def _table(store: Store, objects: list[str], sent: dict[str, int], labels: dict[str, str], done: str) -> Table:
    rows = []
    for object in objects:
        record = store.record(object)
        label = labels.get(object) or _label(store, object)
        state = done if object in sent else "was there"
        rows.append((label, record.kind, record.id[:12], state, record.size_bytes, sent.get(object, 0)))
    styles = {"state": {"sent": "green", "would be sent": "yellow", "was there": "dim"}}
    return Table(COLUMNS, rows, styles=styles, spare=("id",))


def _label(store: Store, object: str) -> str:
    return store.first_name(object) or store.record(object).id[:12]
