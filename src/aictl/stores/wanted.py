"""Which artifact of a store is meant by a word.

NAME            the newest version of a name
KIND/NAME       the same, where several kinds use the name
NAME@N          one version of a name; also KIND/NAME@N
ID              an id, or at least its first eight digits; also KIND/ID
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

from aictl.core.errors import BadRequest, NotFound
from aictl.stores.crew import Crew
from aictl.stores.depot import Depot, Version

_ID = re.compile(r"[0-9a-f]{8,64}")
_HEAD = 16  # digits of an id in an object's name


class Found(NamedTuple):
    """An object, and the name that it was asked for by."""

    object: str
    name: str | None


def resolve(depot: Depot, ref: str, crew: Crew) -> Found:
    """The object that a ref stands for. Raises :class:`NotFound` with the nearest names, and
    :class:`BadRequest` if it may be one of several."""
    kind, slash, word = ref.partition("/")
    if not slash:
        kind, word = "", ref
    versions = [one for one in depot.versions() if kind in ("", one.kind)]
    named = _newest(one for one in versions if word in (one.name, one.label))
    if len(named) > 1:
        choices = ", ".join(f"{one.kind}/{word}" for one in named)
        raise BadRequest(f"'{ref}' could be any of {choices}", cure="say which, as KIND/NAME")
    if named:
        return Found(depot.object_of(named[0]), named[0].name)
    if _ID.fullmatch(word) and (object := _by_id(depot, kind, word, crew)):
        return Found(object, None)
    names = sorted({one.name for one in versions})
    near = difflib.get_close_matches(word, names, n=3)
    there = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names[:12]) or 'no names'}"
    raise NotFound(f"{depot.address.shown} has no '{ref}'", cure=there)


def _newest(versions: Iterable[Version]) -> list[Version]:
    """The newest of the versions in each kind."""
    found: dict[str, Version] = {}
    for one in sorted(versions):
        found[one.kind] = one
    return list(found.values())


def _by_id(depot: Depot, kind: str, id: str, crew: Crew) -> str | None:
    objects = [one for one in depot.objects(kind or None) if one.partition("/")[2].startswith(id[:_HEAD])]
    records = {object: record for object, record in depot.records(objects, crew).items() if record.id.startswith(id)}
    if len({record.id for record in records.values()}) > 1:
        raise BadRequest(f"'{id}' is how several ids begin", cure="give more of its digits")
    # Those of one id have one content: the newest stands for all of them.
    return max(records, key=lambda object: records[object].created, default=None)
