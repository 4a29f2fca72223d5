"""Artifacts from a store into a workspace, with what they were made from.

All bytes come first, into one folder of the workspace's unfinished things, where a run that was killed leaves
them for the next. Then every artifact is put together and checked as if it had been made here: each file
against its record, the id against the content. Only when all of them are whole do they go into the
store, what they were made from before them, and at last get their names.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from aictl.core import doors
from aictl.core.answer import Document, Table
from aictl.core.artifact import Artifact, Record
from aictl.core.errors import AictlError, BadRequest, Damaged, MachineLacks
from aictl.core.events import Events
from aictl.workspace import locks
from aictl.workspace.digests import Digests, sha256
from aictl.workspace.lineage import ancestors_first
from aictl.workspace.names import check_name
from aictl.workspace.project import Project
from aictl.workspace.store import Store, way_of

if TYPE_CHECKING:
    from aictl.stores.crew import Crew
    from aictl.stores.depot import Depot
    from aictl.stores.manifest import Blob

_PLACE = "pull"  # among the unfinished things


class _Asked(NamedTuple):
    object: str
    name: str | None


class _Wanted(NamedTuple):
    """Everything that a pull is about: what was asked for, and the records of that and of what it was made
    from, ancestors first."""

    asked: Sequence[_Asked]
    records: Mapping[str, Record]


def pull(
    root: Path,
    named: Sequence[str],
    source: str,
    events: Events,
    *,
    name: str | None,
    lineage: bool,
    dry_run: bool,
) -> Document | Table:
    """Fetch artifacts from the store at ``source``, and with ``lineage`` everything they were made from.

    ``name`` is what the one artifact that is asked for is to be called here. Returns the paths of those that
    were asked for. Raises :class:`Damaged` if a byte differs from what a record says: then nothing is
    kept; :class:`MachineLacks` if the disk is full, and what the store raises.
    """
    from aictl.stores import depot as depots
    from aictl.stores.crew import Crew

    if name is not None:
        check_name(name)
        if len(named) > 1:
            raise BadRequest(f"--name {name} is for one artifact, and {len(named)} were asked for")
    depot = depots.at(source)
    task = f"pull from {depot.address.shown}"
    depot.require_there()
    wanted = _wanted(depot, named, name, Crew(), events, lineage=lineage)
    crew = Crew(lambda moved: events.advanced(task, moved))
    store = Store(Project(root))
    place = store.project.making / _PLACE
    with locks.exclusive(
        store.project.locks / f"key-{_PLACE}", waiting=lambda who: events.noted(f"waiting for {who}, which pulls too")
    ):
        digests = Digests(store.project.digests)
        lacking = {one: record for one, record in wanted.records.items() if not _is_whole(store, one, record, digests)}
        if dry_run:
            return _plan(wanted, lacking)
        if lacking:
            (place / "scratch").mkdir(parents=True, exist_ok=True)
            _fetch(_Fetching(store, depot, place / "scratch", crew, digests), lacking, events, task)
            made = {object: _put_together(record, object, place, depot) for object, record in lacking.items()}
        with locks.shared(store.project.lock):
            for object, record in lacking.items():
                store.commit(made[object], record)
            if lacking:
                store.mark_pulled(list(lacking), depot.address.shown)
            told = _name(store, wanted, events)
        shutil.rmtree(place, ignore_errors=True)
    return _answer(store, wanted, lacking, told, crew)


# What is wanted


def _wanted(
    depot: Depot, named: Sequence[str], name: str | None, crew: Crew, events: Events, *, lineage: bool
) -> _Wanted:
    from aictl.stores.wanted import resolve

    found = [resolve(depot, ref, crew) for ref in named]
    asked = [_Asked(one.object, name or one.name) for one in found]
    records = depot.records(dict.fromkeys(one.object for one in asked), crew)
    edge = records
    while lineage and edge:
        above = {row.object for record in edge.values() for row in record.inputs if row.object} - set(records)
        there = depot.present(sorted(above), crew)
        for row in (row for record in edge.values() for row in record.inputs):
            if row.object in above - there:
                events.noted(
                    f"{row.kind} '{row.name or row.id[:12]}' was not pushed, so that the lineage ends before it",
                    "warning",
                )
                above.discard(row.object)
        edge = depot.records(sorted(there), crew)
        records = records | edge
    for object, record in records.items():
        _require_ours(record, object, depot)
    order = ancestors_first(
        records, lambda object: [row.object for row in records[object].inputs if row.object in records]
    )
    return _Wanted(asked, {object: records[object] for object in order})


def _require_ours(record: Record, object: str, depot: Depot) -> None:
    """Raises :class:`Damaged` unless a record is that of the object, and what ``doors.kind`` raises for a kind
    that nobody here knows."""
    if object != f"{record.kind}/{record.id[:16]}-{record.key[:16]}-{way_of(record.inputs)}":
        raise Damaged(f"{depot.address.shown}: the record of {object} is that of another artifact")
    doors.kind(record.kind)


def _is_whole(store: Store, object: str, record: Record, digests: Digests) -> bool:
    """Whether an object is here already, with every byte; one that is damaged is fetched again."""
    folder = store.project.store / object
    if not folder.is_dir() or not store.is_readable(object):
        return False
    try:
        return all(digests(folder / path) == entry["sha256"] for path, entry in record.files.items())
    except AictlError:
        return False


# Its bytes


class _Fetching(NamedTuple):
    """From where to where, and with whom."""

    store: Store
    depot: Depot
    scratch: Path
    crew: Crew
    digests: Digests


def _fetch(work: _Fetching, records: Mapping[str, Record], events: Events, task: str) -> None:
    """Let every blob of some records be a whole file in ``scratch``, called by its sha256."""
    from aictl.stores.copying import require_room
    from aictl.stores.manifest import blobs_of

    scratch = work.scratch
    blobs = {blob for record in records.values() for blob in blobs_of(record)}
    for blob, path in _here(work, blobs).items():
        if not (scratch / blob.sha256).exists():
            os.link(path, scratch / blob.sha256)
    missing = [blob for blob in sorted(blobs) if not _is_blob(scratch / blob.sha256, blob)]
    total = sum(blob.size_bytes for blob in missing)
    begun = {blob: part for blob in missing if (part := scratch / f"{blob.sha256}.part").exists()}
    require_room(scratch, total - sum(part.stat().st_blocks * 512 for part in begun.values()))
    events.started(task, float(total), "bytes")
    with work.crew.telling_what_is_kept(total):
        work.depot.fetch(missing, lambda blob: scratch / blob.sha256, work.crew)
    # What another run had begun may be to blame for a wrong byte: such a blob is fetched once more.
    again = [blob for blob in begun if not _is_blob(scratch / blob.sha256, blob)]
    work.depot.fetch(again, lambda blob: scratch / blob.sha256, work.crew)
    for blob in missing:
        if not _is_blob(scratch / blob.sha256, blob):
            (scratch / blob.sha256).unlink()
            raise Damaged(
                f"{work.depot.shown_blob(blob)} is not what was pushed: its sha256 is another", cure=_push_again()
            )
    events.finished(task)


def _push_again() -> str:
    from aictl.stores.depot import REPUSH

    return REPUSH


def _is_blob(path: Path, blob: Blob) -> bool:
    return path.exists() and path.stat().st_size == blob.size_bytes and sha256(path) == blob.sha256


def _here(work: _Fetching, blobs: set[Blob]) -> dict[Blob, Path]:
    """Those of some blobs that are files of artifacts that are here already."""
    wanted = {blob.sha256: blob for blob in blobs}
    store = work.store
    found: dict[Blob, Path] = {}
    for object in store.objects():
        files = store.record(object).files if store.is_readable(object) else {}
        for path, entry in files.items():
            blob = wanted.get(entry["sha256"])
            place = store.project.store / object / path
            if blob and blob not in found and place.exists() and work.digests(place) == blob.sha256:
                found[blob] = place
    return found


def _put_together(record: Record, object: str, place: Path, depot: Depot) -> Path:
    """The folder of an artifact, every file of it checked, and its id against the whole. Raises
    :class:`Damaged`."""
    folder = place / "made" / object.replace("/", "-")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path, entry in record.files.items():
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(place / "scratch" / entry["sha256"], target)
        except FileExistsError as error:
            raise MachineLacks(
                f"{record.kind} {record.id[:12]} has several files that this disk holds for one: {path}",
                cure="use a workspace on a disk that tells capital letters from small ones",
            ) from error
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise MachineLacks(f"{path[:80]}…: the name is too long for this disk") from error
            raise
    made: type[Artifact] = doors.kind(record.kind)
    artifact = made(folder, record=record)
    try:
        artifact.check()
        whole = artifact.content(record.files) == record.id
    except Damaged as error:
        raise Damaged(f"{depot.address.shown}: {error.message}", cure=_push_again()) from error
    if not whole:
        raise Damaged(
            f"{depot.address.shown}: {record.kind} {record.id[:12]} is not the artifact that its id says",
            cure=_push_again(),
        )
    return folder


# Its names


def _name(store: Store, wanted: _Wanted, events: Events) -> dict[str, Path]:
    """Name what was asked for, and what it was made from where the name is free; returns the paths."""
    asked = {one.object for one in wanted.asked}
    for record in wanted.records.values():
        for row in record.inputs:
            if row.kind and row.name and row.object and row.object in wanted.records and row.object not in asked:
                current = store.names.current(row.kind, row.name)
                if current is None:
                    store.bind(row.object, row.name)
                elif store.record(current).id != row.id:
                    events.noted(
                        f"{row.kind} '{row.name}' stands for something else here than where {record.kind} "
                        f"{record.id[:12]} was made, which is stale for that reason",
                        "warning",
                    )
    paths = {}
    for object, name in wanted.asked:
        kind = object.partition("/")[0]
        before = store.names.current(kind, name) if name else None
        paths[object] = store.bind(object, name) if name else store.path(object)
        if before and before != object:
            events.noted(f"{kind} '{name}' is now {paths[object].name}; what it was is kept as the version before")
    return paths


# What is said of it


def _plan(wanted: _Wanted, lacking: Mapping[str, Record]) -> Table:
    rows = [
        (_called(wanted, object), record.kind, record.id[:12], "would be fetched", record.size_bytes)
        if object in lacking
        else (_called(wanted, object), record.kind, record.id[:12], "is here", 0)
        for object, record in wanted.records.items()
    ]
    return Table(("artifact", "kind", "id", "state", "size_bytes"), rows)


def _answer(
    store: Store, wanted: _Wanted, lacking: Mapping[str, Record], paths: Mapping[str, Path], crew: Crew
) -> Document:
    rows: list[dict[str, Any]] = [
        {
            "name": _called(wanted, object),
            "kind": record.kind,
            "id": record.id,
            "asked": object in paths,
            "state": "fetched" if object in lacking else "was here",
            "size_bytes": record.size_bytes,
            "path": str(paths.get(object) or store.path(object)),
        }
        for object, record in wanted.records.items()
    ]
    value = {"artifacts": rows, "fetched_bytes": crew.bytes_moved}
    return Document(value, text="\n".join(str(paths[one.object]) for one in wanted.asked))


def _called(wanted: _Wanted, object: str) -> str:
    """What an artifact is called: as it was asked for, or as what was made from it calls it."""
    names = [one.name for one in wanted.asked if one.object == object and one.name]
    names += [
        row.name for record in wanted.records.values() for row in record.inputs if row.object == object and row.name
    ]
    return names[0] if names else object.partition("/")[2][:12]
