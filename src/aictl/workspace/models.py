"""The models of a workspace: artifacts of the kinds that are models, a plugin's among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from aictl.artifacts.capability import Capability
from aictl.artifacts.model import Brief, Model
from aictl.artifacts.quantity import number_shown
from aictl.core import doors
from aictl.core.answer import Document, Section, Table
from aictl.core.artifact import Artifact
from aictl.core.errors import AictlError
from aictl.core.events import Events
from aictl.workspace import refs
from aictl.workspace.listing import STATES, Listed, listed, made, opened, size_shown
from aictl.workspace.project import Project
from aictl.workspace.store import Store


class FoundModel(NamedTuple):
    """One model, the names that stand for it, why it is stale if it is, and where it lies."""

    model: Model
    names: list[str]
    stale: str | None
    path: Path


def list_models(root: Path, events: Events, *, can: Capability | None, older: bool) -> Document:
    """Every model under each of its names; with ``older`` also the versions that were replaced. One whose files
    cannot be read is listed as damaged."""
    store, freshness = opened(root, events)
    values = []
    for kind in model_kinds():
        for line in listed(store, freshness, kind=kind.kind, older=older):
            value = _line(store, line)
            if can is None or value["can"] == can:
                values.append(value)
    columns = tuple(_line(store, Listed("/", "", "damaged", None)))
    table = Table(columns, [tuple(one[name] for name in columns) for one in values])
    shown = ("kind", "name", "can", "parameters", "precision", "size", "context", "base", "state", "about")
    rows = [
        (
            *(one["kind"], one["name"], one["can"], number_shown(one["parameters"]), one["precision"]),
            *("" if one["size_bytes"] is None else size_shown(one["size_bytes"]), number_shown(one["context"])),
            *(one["base"], one["state"], one["about"]),
        )
        for one in values
    ]
    drawn = Table(shown, rows, styles={"state": STATES}, spare=("context", "base", "precision", "size"), cut="about")
    return Document(values, table=table, sections=[Section("", drawn)])


def _line(store: Store, line: Listed) -> dict[str, Any]:
    """One model as JSON."""
    brief, state, about = Brief(None), line.state, line.because or (line.record.summary if line.record else "")
    if line.record:
        model = store.open(line.object, line.label)
        assert isinstance(model, Model)
        try:
            brief = model.brief()
        except (AictlError, ValueError, TypeError, KeyError, AttributeError) as error:  # a plugin's may raise anything
            state, about = "damaged", error.message if isinstance(error, AictlError) else f"{error!r}"
    return {
        "kind": line.kind,
        "name": line.label,
        "can": brief.capability,
        "architecture": brief.architecture,
        "parameters": brief.parameters,
        "precision": brief.precision,
        "size_bytes": line.record.size_bytes if line.record else None,
        "context": brief.context,
        "base": brief.base,
        "state": state,
        "made": made(line.record) if line.record else None,
        "id": line.record.id if line.record else None,
        "about": about,
    }


def find_model(root: Path, ref: str, events: Events) -> FoundModel:
    """The model that a ref stands for. Raises ``WrongKind`` for an artifact that is none, and what resolving raises."""
    store, freshness = opened(root, events)
    found = refs.resolve(store, ref, model_kinds())
    model = store.open(found.object, found.name or found.label)
    assert isinstance(model, Model)
    because = freshness.stale_because(found.object)
    return FoundModel(model, store.labels.get(found.object, []), because, store.path(found.object))


def model_kinds() -> list[type[Model]]:
    """The kinds of artifact that are models. A plugin that cannot be imported is passed over: it says so itself
    when it is called."""
    kinds = []
    for door in doors.doors(doors.KINDS).values():
        try:
            kind = door.load()
        except AictlError:
            continue
        if issubclass(kind, Model):
            kinds.append(kind)
    return kinds


def evaluations_of(root: Path, model: Model) -> list[Artifact]:
    """What was measured of a model: the artifacts that `aictl evaluate` made of it or of one of the same content,
    the newest first."""
    store = Store(Project(root))
    found = []
    for object in store.objects():
        if store.is_readable(object):
            record = store.record(object)
            of_it = any(model.record and row.id == model.record.id and row.kind == model.kind for row in record.inputs)
            if of_it and record.command.partition(".")[0] == "evaluate":
                found.append(store.open(object))
    return sorted(found, key=lambda one: one.record.created if one.record else "", reverse=True)
