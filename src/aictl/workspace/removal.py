"""Taking artifacts away: by name, by version, or whatever nothing needs any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from aictl.core.answer import Table
from aictl.core.errors import AictlError, BadRequest
from aictl.workspace import locks, refs
from aictl.workspace.lineage import dependents
from aictl.workspace.project import Project
from aictl.workspace.store import Store, files_below

_COLUMNS = ("removed", "kind", "id", "size_bytes")


def remove(root: Path, named: Sequence[str], *, force: bool) -> Table:
    """Remove artifacts and the names that stood for them.

    Raises :class:`BadRequest` naming what was made from them, unless ``force``; ``TryLater`` while
    a running command reads one. Nothing is removed if any of them may not be.
    """
    with _alone(root) as store:
        return _remove(store, named, force=force)


def _remove(store: Store, named: Sequence[str], *, force: bool) -> Table:
    doomed: dict[str, list[str]] = {}  # object → the labels to take away
    for ref in named:
        found = refs.resolve(store, ref)
        if found.name:
            for version, object in store.names.versions(found.kind, found.name).items():
                doomed.setdefault(object, []).append(f"{found.name}@{version}")
        else:
            names = store.labels.get(found.object, [])
            doomed.setdefault(found.object, []).extend([found.label] if found.label in names else names)
    gone = {object for object, labels in doomed.items() if set(store.labels.get(object, [])) <= set(labels)}
    if not force:
        for object in sorted(gone):
            if needing := [one for one in dependents(store, object) if one not in gone]:
                labels = [f"{one.partition('/')[0]}/{_label(store, one)}" for one in needing]
                raise BadRequest(
                    f"{_label(store, object)} is what {', '.join(labels)} was made from",
                    cure="remove that first, or give --force and lose its lineage",
                )
    return _take_away(store, doomed, gone)


def prune(root: Path, *, dry_run: bool) -> Table:
    """Remove every artifact that is no name's newest version and that nothing kept was made from."""
    with _alone(root) as store:
        return _prune(store, dry_run=dry_run)


def _prune(store: Store, *, dry_run: bool) -> Table:
    kept = set()
    for object in store.objects():
        kind = object.partition("/")[0]
        names = {label.rpartition("@")[0] for label in store.labels.get(object, [])}
        if any(store.names.current(kind, name) == object for name in names):
            kept.add(object)
    reached: set[str] = set()
    edge = list(kept)
    while edge:
        object = edge.pop()
        if object not in reached:
            reached.add(object)
            for row in store.inputs(object):
                if row.object and (store.project.store / row.object).is_dir():
                    edge.append(row.object)
    gone = {object for object in store.objects() if object not in reached}
    if dry_run:
        return Table(_COLUMNS, [_row(store, object) for object in sorted(gone)])
    return _take_away(store, {object: list(store.labels.get(object, [])) for object in gone}, gone)


@contextmanager
def _alone(root: Path) -> Iterator[Store]:
    """The store while nobody else looks artifacts up or names them."""
    project = Project(root)
    with locks.exclusive(project.lock, waiting=lambda who: None):
        yield Store(project)


def _take_away(store: Store, labels: dict[str, list[str]], gone: set[str]) -> Table:
    rows = []
    with ExitStack() as held:
        for object in sorted(gone):  # all of them, or none
            held.enter_context(locks.unused(store.lock_of(object), _label(store, object)))
        for object in sorted(labels):
            kind = object.partition("/")[0]
            row = _row(store, object)
            _unname(store, kind, labels[object])
            if object in gone:
                store.remove(object)
                rows.append(row)
            else:
                rows.append((", ".join(dict.fromkeys(labels[object])), kind, row[2], 0))
    return Table(_COLUMNS, rows)


def _unname(store: Store, kind: str, labels: Sequence[str]) -> None:
    for label in labels:
        store.names.unbind(kind, label)
        name = label.rpartition("@")[0]
        if current := store.names.current(kind, name):
            with suppress(AictlError):  # a damaged one has no id to write
                store.names.write_reference(kind, name, store.record(current).id)


def _label(store: Store, object: str) -> str:
    """Every name of an object, or the head of its id, which its folder's name begins with."""
    return ", ".join(store.labels.get(object) or [object.partition("/")[2][:12]])


def _row(store: Store, object: str) -> tuple[str, str, str, int]:
    kind, _, folder = object.partition("/")
    size = sum(path.stat().st_size for path in files_below(store.project.store / object))
    return _label(store, object), kind, folder[:12], size
