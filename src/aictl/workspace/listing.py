"""Answers about what is in a workspace: the listing, one artifact, its lineage, its health."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from aictl.core import doors
from aictl.core.answer import Document, Section, Table
from aictl.core.artifact import Record
from aictl.core.errors import AictlError, BadRequest, Damaged, NotFound
from aictl.core.events import Events
from aictl.workspace import config, refs
from aictl.workspace.digests import Digests
from aictl.workspace.inputs import Inputs
from aictl.workspace.lineage import Freshness, Node, trace
from aictl.workspace.project import CONFIG_NAME, Project
from aictl.workspace.store import Store

STATES = {"fresh": "green", "stale": "yellow", "older": "dim", "damaged": "red"}


def opened(root: Path, events: Events) -> tuple[Store, Freshness]:
    """The store of a workspace, and what says whether things in it are fresh."""
    project = Project(root)
    store = Store(project)
    return store, Freshness(store, Inputs(store, Digests(project.digests), events).digest_now)


class Listed(NamedTuple):
    """A line of a listing: an object under one of its names. ``record`` is None of one that is damaged; ``because``
    says why it is, or why it is stale."""

    object: str
    label: str
    state: Literal["fresh", "stale", "older", "damaged"]
    record: Record | None
    because: str | None = None

    @property
    def kind(self) -> str:
        return self.object.partition("/")[0]


def listed(store: Store, freshness: Freshness, *, kind: str | None, older: bool) -> list[Listed]:
    """Every artifact of a kind, or of all, under each of its names, in order; with ``older`` also the versions that
    were replaced."""
    newest = store.names.newest()
    found = []
    for object in store.objects(kind):
        of_kind = object.partition("/")[0]
        labels = store.labels.get(object, [])
        try:
            record = store.record(object)
            because = freshness.stale_because(object)
        except AictlError as error:
            found.append(Listed(object, labels[-1] if labels else object, "damaged", None, error.message))
            continue
        for label in labels or [record.id[:12]]:
            current = not labels or f"{of_kind}/{label}" in newest
            if current or older:
                state: Literal["fresh", "stale", "older"] = ("stale" if because else "fresh") if current else "older"
                found.append(Listed(object, label, state, record, because))
    return sorted(found, key=lambda one: (one.kind, *_in_order(one.label)))


def list_artifacts(root: Path, events: Events, *, kind: str | None, older: bool) -> Table:
    """Every artifact with its state; a record that cannot be read is listed as damaged."""
    if kind is not None and kind not in doors.doors(doors.KINDS):
        doors.kind(kind)
    rows = []
    for one in listed(*opened(root, events), kind=kind, older=older):
        record = one.record
        known = (size_shown(record.size_bytes), made(record), record.id[:12]) if record else ("", "", "")
        rows.append((one.kind, one.label, one.state, *known, one.because or (record.summary if record else "")))
    columns = ("kind", "name", "state", "size", "made", "id", "about")
    return Table(columns, rows, styles={"state": STATES}, spare=("id", "made", "size"), cut="about")


def show_artifact(root: Path, ref: str, events: Events, *, get: str | None) -> Document:
    """An artifact's record, where it lies and whether it is fresh; or one value of all that."""
    store, freshness = opened(root, events)
    found = refs.resolve(store, ref)
    artifact = store.open(found.object, found.name)
    record = store.record(found.object)
    because = freshness.stale_because(found.object)
    value: dict[str, Any] = {
        "name": artifact.name,
        "names": store.labels.get(found.object, []),
        "kind": record.kind,
        "state": "stale" if because else "fresh",
        **({"stale_because": because} if because else {}),
        "path": str(store.path(found.object)),
        **({"pulled_from": store.pulled[found.object]} if found.object in store.pulled else {}),
        "summary": record.summary,
        **{key: inner for key, inner in record._asdict().items() if key not in ("kind", "summary", "schema", "files")},
        "inputs": [{key: inner for key, inner in row._asdict().items() if inner} for row in record.inputs],
    }
    if edits := artifact.edits():
        value["edits"] = edits
    value["files"] = {path: entry["size"] for path, entry in record.files.items()}
    report = artifact.answer() if artifact.is_report else None
    if isinstance(report, Document):
        value["report"] = report.value
    if get is None:
        if not isinstance(report, Document) or not report.sections:
            return Document(value, drawn=report.drawn if isinstance(report, Document) else None)
        about = ("name", "kind", "id", "path", "command", "created", "summary")
        origin = Section("artifact", {name: value[name] for name in about if value[name]})
        return Document(value, sections=(*report.sections, origin))
    picked = _pick({**value, "files": dict(record.files)}, get, ref)
    return Document(picked, text=None if isinstance(picked, dict | list) else _plain(picked))


def show_lineage(root: Path, ref: str, events: Events) -> Document:
    """The tree of everything an artifact was made from."""
    store, freshness = opened(root, events)
    found = refs.resolve(store, ref)
    node = trace(store, freshness, found.object, name=found.label)
    columns = ("depth", "role", "kind", "label", "id", "command", "state", "about")
    return Document(node.to_json(), drawn="\n".join(_tree(node)), table=Table(columns, list(_flat(node))))


def artifact_path(root: Path, ref: str) -> Document:
    """The folder of an artifact."""
    store = Store(Project(root))
    path = store.path(refs.resolve(store, ref).object)
    return Document({"path": str(path)}, text=str(path))


def check_artifacts(root: Path, named: Sequence[str], events: Events) -> Table:
    """Re-hash artifacts and name every file that differs; the exit status is then that of ``Damaged``."""
    store = Store(Project(root))
    objects = list(dict.fromkeys(refs.resolve(store, ref).object for ref in named)) or list(store.objects())
    rows, damage = [], []
    events.started("check", total=len(objects), unit="artifacts")
    for number, object in enumerate(objects, 1):
        kind, _, folder = object.partition("/")
        label = f"{kind}/{', '.join(store.labels.get(object) or [folder])}"
        try:
            wrong = store.damage(object)
            edits = store.open(object).edits() if not wrong else []
            size = size_shown(store.record(object).size_bytes)
        except AictlError as error:
            wrong, edits, size = [error.message], [], ""
        damage += [f"{label}: {one}" for one in wrong]
        state = "damaged" if wrong else ("edited" if edits else "whole")
        rows.append((label, state, size, "; ".join(wrong or edits)))
        events.advanced("check", number)
    events.finished("check")
    for one in damage:
        events.noted(one, "warning")
    damaged = sum(row[1] == "damaged" for row in rows)
    if damage:
        events.noted(f"{damaged} damaged; {Damaged.usual_cure}", "warning")
    styles = {"state": {"whole": "green", "edited": "cyan", "damaged": "red"}}
    status = Damaged.exit_code if damage else 0
    return Table(("artifact", "state", "size", "about"), rows, styles=styles, status=status)


def show_config(root: Path | None, only: str, *, changed: bool) -> Table:
    """The options in force of one command or of all. Raises what loading a command raises."""
    commands = doors.doors(doors.COMMANDS)
    wanted = [name for name in commands if not only or name == only or name.startswith(only + ".")]
    if not wanted:
        raise NotFound(f"no command is called '{only.replace('.', ' ')}'", cure="aictl --help lists the commands")
    rows = []
    for name in wanted:
        try:
            spec = commands[name].load().spec
        except AictlError as error:
            if only:
                raise
            rows.append((name, "", "", error.message))
            continue
        toml = root / CONFIG_NAME if root else None
        for row in config.in_force(name, spec, toml=toml):
            if not changed or row.origin != "default":
                rows.append((name.replace(".", " "), row.name, row.value, row.origin))
    return Table(("command", "option", "value", "from"), rows)


def _in_order(label: str) -> tuple[str, int]:
    """A name and its version, so that @2 stands before @10."""
    name, _, version = label.rpartition("@")
    return (name, int(version)) if name else (label, 0)


def _pick(value: Any, path: str, ref: str) -> Any:
    here: Any = value
    rest: str | None = path
    while rest is not None:
        inside = _into(here, rest)
        if inside is None:
            there = ""
            if isinstance(here, dict):
                there = ", ".join(here)
            elif isinstance(here, list | tuple):
                there = f"{len(here)} items"
            raise BadRequest(f"'{ref}' has no '{path}'", cure=f"there is {there}" if there else None)
        here, rest = inside
    return here


def _into(value: Any, path: str) -> tuple[Any, str | None] | None:
    """What the first step of a path leads to, and the rest of the path if it goes on. A step may have
    dots in it, as the name of a file does."""
    if isinstance(value, list | tuple):
        step, dot, rest = path.partition(".")
        found = step.isascii() and step.isdigit() and int(step) < len(value)
        return (value[int(step)], rest if dot else None) if found else None
    if isinstance(value, dict):
        for key in sorted(value, key=len, reverse=True):
            if path == key:
                return value[key], None
            if path.startswith(f"{key}."):
                return value[key], path[len(key) + 1 :]
    return None


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _tree(node: Node, prefix: str = "", branch: str = "") -> list[str]:
    about = "  ".join(part for part in (node.command and f"[{node.command.replace('.', ' ')}]", node.summary) if part)
    stale = f"  STALE: {node.stale}" if node.stale else ""
    head = f"{node.kind} {node.label}" if node.command or node.kind != "source" else node.label
    lines = [f"{prefix}{branch}{head}  {node.id[:12]}  {about}{stale}".rstrip()]
    below = prefix + ({"": "", "├─ ": "│  ", "└─ ": "   "}[branch])
    for number, inner in enumerate(node.inputs, 1):
        lines += _tree(inner, below, "└─ " if number == len(node.inputs) else "├─ ")
    return lines


def _flat(node: Node, depth: int = 0) -> Iterator[tuple[int | str, ...]]:
    """The tree as rows, each below what it went into."""
    state = "stale" if node.stale else "fresh"
    yield depth, node.role, node.kind, node.label, node.id, node.command, state, node.stale or node.summary
    for inner in node.inputs:
        yield from _flat(inner, depth + 1)


def made(record: Record) -> str:
    """When an artifact was made, to the minute."""
    return record.created[:16].replace("T", " ")


def size_shown(size_bytes: int) -> str:
    """A size for people, such as ``1.5 MB``."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
