"""Lineage: what was made from what, and whether that is still so.

An artifact is fresh when making it again would find it up to date: its raw sources have the bytes
they had, and every input, as its name stands now, is fresh and has the id it had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aictl.core.artifact import InputRecord
from aictl.core.errors import AictlError, NotFound
from aictl.workspace.store import Store


class Freshness:
    """Answers, once per object, why it is stale. ``digest_now(row)`` gives the digest that a raw
    source has today, or None if it is gone; one that stands still (a pinned package) has none."""

    def __init__(self, store: Store, digest_now: Callable[[InputRecord], str | None]) -> None:
        self._store = store
        self._digest_now = digest_now
        self._reasons: dict[str, str | None] = {}
        self._sources: dict[tuple[str | None, str | None], str | None] = {}

    def stale_because(self, object: str) -> str | None:
        """Why an object is stale, or None if it is fresh."""
        if object not in self._reasons:
            # What is looked at again while it is being looked at is no proof of its own freshness:
            # an artifact can have the very content of one that it was made from.
            self._reasons[object] = "it leads back to itself"
            try:
                self._reasons[object] = self._reason(object)
            except AictlError as error:
                self._reasons[object] = error.message
        return self._reasons[object]

    def _reason(self, object: str) -> str | None:
        for row in self._store.record(object).inputs:
            reason = self._artifact(row) if row.kind else self.source_is_stale(row, object)
            if reason:
                return reason
        return None

    def source_is_stale(self, row: InputRecord, object: str) -> str | None:
        """Why a raw source of an object is not what it was, or None if it is, or if nobody here can know."""
        if row.path is None:
            return None
        mark = (row.uri, row.path)
        if mark not in self._sources:
            try:
                self._sources[mark] = self._digest_now(row)
            except AictlError as error:
                return error.message
        now = self._sources[mark]
        if now is None:
            # What was made elsewhere was made from files that need not be here.
            return None if object in self._store.pulled else f"{row.uri} is gone"
        return None if now == row.id else f"{row.uri} has changed"

    def _artifact(self, row: InputRecord) -> str | None:
        assert row.kind
        if row.name:
            current = self._store.names.current(row.kind, row.name)
            if current is None:
                return f"{row.kind} '{row.name}' was removed"
            if self._store.record(current).id != row.id:
                return f"{row.kind} '{row.name}' has changed"
            inner = self.stale_because(current)
            return inner and f"{row.kind} '{row.name}' is stale: {inner}"
        # Without a name it is the content that counts: fresh if any way of making it is.
        reasons = [self.stale_because(one) for one in self._store.with_id(row.kind, row.id)]
        if not reasons:
            return f"{row.kind} {row.id[:12]} was removed"
        return None if None in reasons else f"{row.kind} {row.id[:12]} is stale: {reasons[0]}"


class Node(NamedTuple):
    """One thing in a lineage: an artifact, or a raw source at its end."""

    kind: str
    label: str
    id: str
    command: str
    summary: str
    stale: str | None
    role: str
    inputs: Sequence[Node] = ()

    def to_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {"role": self.role} if self.role else {}
        value |= {"kind": self.kind, "label": self.label, "id": self.id, "stale": self.stale}
        if self.command:
            value |= {"command": self.command, "summary": self.summary}
            value["inputs"] = [node.to_json() for node in self.inputs]
        return value


def trace(store: Store, freshness: Freshness, object: str, role: str = "", name: str | None = None) -> Node:
    """The tree of everything that an object was made from, down to the raw sources."""
    record = store.record(object)
    inputs = []
    for row in record.inputs:
        if not row.kind:
            stale = freshness.source_is_stale(row, object)
            inputs.append(Node("source", row.uri or "", row.id, "", "", stale, row.role))
            continue
        try:
            parent = store.open_input(row)
        except AictlError as error:
            state, why = ("(removed)", "was removed") if isinstance(error, NotFound) else ("(damaged)", error.message)
            inputs.append(Node(row.kind, row.name or row.id[:12], row.id, "", state, why, row.role))
            continue
        inner = f"{row.kind}/{Path(parent.folder).name}"
        inputs.append(trace(store, freshness, inner, row.role, row.name))
    label = name or store.first_name(object) or record.id[:12]
    return Node(
        record.kind, label, record.id, record.command, record.summary, freshness.stale_because(object), role, inputs
    )


def ancestry(store: Store, objects: Sequence[str]) -> tuple[list[str], list[InputRecord]]:
    """Some objects and everything they were made from, each after what it was made from; and the
    inputs that are no longer in the workspace."""
    gone: dict[str, InputRecord] = {}

    def inputs(object: str) -> list[str]:
        rows = [row for row in store.record(object).inputs if row.object]
        lost = {row.object: row for row in rows if row.object and not (store.project.store / row.object).is_dir()}
        gone.update(lost)
        return [row.object for row in rows if row.object and row.object not in lost]

    return ancestors_first(objects, inputs), list(gone.values())


def ancestors_first(objects: Iterable[str], inputs: Callable[[str], Iterable[str]]) -> list[str]:
    """Some objects and all that ``inputs`` leads to from them, each after its inputs, once."""
    found: dict[str, None] = {}
    entered: set[str] = set()
    waiting = [(object, False) for object in reversed(list(objects))]
    while waiting:
        object, inputs_done = waiting.pop()
        if inputs_done:
            found[object] = None
        elif object not in entered:
            entered.add(object)
            waiting.append((object, True))
            waiting += [(one, False) for one in inputs(object)]
    return list(found)


def dependents(store: Store, object: str) -> list[str]:
    """The objects that were made from this one, and would lose their lineage with it."""
    return [one for one in store.objects() if any(row.object == object for row in store.inputs(one))]
