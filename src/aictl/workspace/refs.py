"""Refs: what a person types for an artifact, and what it stands for.

NAME            the newest version of a name
KIND/NAME       the same, where several kinds use the name
NAME@N          one version of a name; also KIND/NAME@N
ID              an id, or at least its first eight digits
PATH            an artifact's folder, or its .ref file
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from aictl.core import doors
from aictl.core.artifact import RECORD_NAME, Artifact
from aictl.core.errors import BadRequest, WrongKind
from aictl.workspace.store import Store

_ID = re.compile(r"[0-9a-f]{8,64}")


class Resolved(NamedTuple):
    """An object of the store, and the name it was asked for by unless a version was pinned."""

    object: str
    name: str | None
    label: str

    @property
    def kind(self) -> str:
        return self.object.partition("/")[0]


def resolve(store: Store, ref: str, kinds: Sequence[type[Artifact]] = ()) -> Resolved:
    """The object that a ref stands for, among ``kinds`` if any are given.

    Raises ``NotFound`` with the nearest names, :class:`WrongKind` if the ref is good and its
    kind is not taken, and :class:`BadRequest` if several kinds use the name.
    """
    taken = [kind.kind for kind in kinds]
    found = _candidates(store, ref)
    fitting = [one for one in found if not taken or one.kind in taken]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        choices = ", ".join(f"{one.kind}/{one.label}" for one in fitting)
        raise BadRequest(f"'{ref}' could be any of {choices}", cure="say which, as KIND/NAME")
    from aictl.workspace import hints

    if found:
        was = " and ".join(sorted({one.kind for one in found}))
        raise WrongKind(
            f"'{ref}' is of kind {was}, and this command takes {' or '.join(taken)}",
            cure=hints.next_step(store, ref, found[0].object, taken),
        )
    raise hints.missing(store, ref, taken)


def _candidates(store: Store, ref: str) -> list[Resolved]:
    head, slash, tail = ref.partition("/")
    if not slash:
        named = [
            one for kind in store.names.kinds_of(ref.rpartition("@")[0] or ref) for one in _named(store, kind, ref)
        ]
        named = named or [one for kind in store.names.kinds_of(ref) for one in _named(store, kind, ref)]
        if named:
            return named
        if _ID.fullmatch(ref):
            return _by_id(store, ref)
    elif head in doors.doors(doors.KINDS):
        if named := _named(store, head, tail):
            return named
        if _ID.fullmatch(tail):
            return [one for one in _by_id(store, tail) if one.kind == head]
    return _at_path(store, Path(ref).expanduser())


def _named(store: Store, kind: str, text: str) -> list[Resolved]:
    if object := store.names.current(kind, text):
        return [Resolved(object, text, text)]
    name, at, version = text.rpartition("@")
    if not (at and version.isascii() and version.isdigit()):
        return []
    object = store.names.versions(kind, name).get(int(version))
    return [Resolved(object, None, text)] if object else []


def _by_id(store: Store, id: str) -> list[Resolved]:
    found: dict[str, Resolved] = {}
    for object in store.objects():
        folder = object.partition("/")[2]
        if folder.startswith(id[:16]) and store.is_readable(object) and store.record(object).id.startswith(id):
            # Objects with one id have one content: the newest stands for all of them.
            whole = store.record(object).id
            if whole not in found or store.record(object).created > store.record(found[whole].object).created:
                found[whole] = Resolved(object, None, id)
    return list(found.values())


def _at_path(store: Store, path: Path) -> list[Resolved]:
    # os.path says False of what cannot be a file, or where nobody may look; pathlib raises.
    if path.suffix == ".ref" and os.path.isfile(path) and path.parent.parent.resolve() == store.project.names:  # noqa: PTH113
        return _named(store, path.parent.name, path.stem)
    if not os.path.isfile(path / RECORD_NAME):  # noqa: PTH113
        return []
    folder = path.resolve()
    if folder.parent.parent != store.project.store:
        raise BadRequest(
            f"{path} is an artifact of another workspace ({folder})",
            cure="run the command there with --workspace, or bring it here with `aictl model add` or `aictl data prep`",
        )
    return [Resolved(f"{folder.parent.name}/{folder.name}", None, path.name)]
