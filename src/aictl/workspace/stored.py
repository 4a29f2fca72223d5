"""Answers about what is in a store: the names there, and what has none."""

from __future__ import annotations

from aictl.core import doors
from aictl.core.answer import Table
from aictl.workspace.listing import size_shown

_COLUMNS = ("kind", "name", "state", "size", "made", "id", "about")


def list_stored(where: str, *, kind: str | None, older: bool) -> Table:
    """Every artifact in the store at ``where``: the versions of names (with ``older`` those that were
    replaced too), and by its id whatever no name stands for."""
    from aictl.stores import depot as depots
    from aictl.stores.crew import Crew

    if kind is not None:
        doors.kind(kind)
    depot = depots.at(where)
    depot.require_there()
    crew = Crew()
    versions = depot.versions(kind)
    newest = {(one.kind, one.name): one.number for one in versions}  # in order, so that the last stays
    objects = depot.objects_of(versions, crew)
    records = depot.records(depot.objects(kind), crew)
    rows = []
    for version in versions:
        state = "current" if newest[version.kind, version.name] == version.number else "older"
        if (state == "current" or older) and objects[version] in records:
            rows.append((version.kind, version.label, state, records[objects[version]]))
    named = set(objects.values())
    rows += [(record.kind, record.id[:12], "unnamed", record) for one, record in records.items() if one not in named]
    return Table(
        _COLUMNS,
        [
            (
                of_kind,
                name,
                state,
                size_shown(record.size_bytes),
                record.created[:16].replace("T", " "),
                record.id[:12],
                record.summary,
            )
            for of_kind, name, state, record in rows
        ],
        styles={"state": {"current": "green", "older": "dim", "unnamed": "dim"}},
        spare=("id", "made", "size"),
        cut="about",
    )
