"""What lies below a URL, as a list that stands still, and how to read what is on it.

A source in a store is not copied. It is listed, and the list, one JSON object a line, is what the
commands get: ``{"name", "size_bytes", "mark", "url"}``. :func:`objects_of` turns it into things that
can be opened, and each of them gives the bytes that were listed or an error.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import IO, NamedTuple
from urllib.parse import unquote, urlsplit

from aictl.core.artifact import Source
from aictl.core.errors import Damaged, NotFound
from aictl.core.redaction import redacted
from aictl.core.walk import is_derived
from aictl.stores.address import Address, parse
from aictl.stores.backend import Backend, Entry, open_place
from aictl.stores.reading import stream

_GLOB = re.compile(r"\*\*/|\*|\?|\[[^\]]+\]")
UNSAFE = "its name is no path inside a folder"


class StoredObject(NamedTuple):
    """One object: its name relative to the source, its size, the mark of its version, and its URL, which
    may have credentials in it and so is never shown."""

    name: str
    size_bytes: int
    mark: str
    url: str

    def open(self) -> IO[bytes]:
        """The object, open for reading and for seeking. Reading raises :class:`TryLater` if it is no longer
        the one that was listed, or if the store cannot be reached any more. It may be opened in another
        process than the one that listed it."""
        place, entry = located(self)
        return stream(place.reader(entry), entry, place.root.at(entry.path).shown)

    def __repr__(self) -> str:
        return f"StoredObject({self.name!r}, {self.size_bytes}, {self.mark!r}, {redacted(self.url)!r})"


def located(one: StoredObject) -> tuple[Backend, Entry]:
    """Where an object lies: the place, and the entry of it there."""
    address = parse(one.url)
    return open_place(address), Entry(address.path + address.query, one.size_bytes, one.mark)


class Listing(NamedTuple):
    """The objects below an address, in order. ``single`` says that the address is that of one object;
    ``left_out`` has the names of those that are not taken, with the reason."""

    objects: tuple[StoredObject, ...]
    single: bool
    left_out: Mapping[str, str]

    @property
    def digest(self) -> str:
        """sha256 over the objects' names, sizes and marks: not over where they lie, nor over when they were
        listed."""
        total = hashlib.sha256()
        for one in sorted(self.objects):
            total.update(f"{one.name}\0{one.size_bytes}\0{one.mark}\n".encode("utf-8", "surrogateescape"))
        return total.hexdigest()


def list_objects(address: Address) -> Listing:
    """What an address stands for: the one object there, everything below it, or with ``*``, ``**`` or ``?`` in
    it everything that matches.

    Raises :class:`NotFound` if there is nothing, and what the store raises.
    """
    place = open_place(address)
    if address.kind == "web":
        return _of_web(address, place)
    if not address.path.endswith("/") and (found := place.entry(address.path)):
        return Listing((StoredObject(address.name, *found[1:], address.url),), True, {})
    folder, pattern = _split(address.path)
    matching = re.compile(pattern) if pattern else None
    objects, left_out = [], {}
    for entry in place.entries(folder):
        name = entry.path[len(folder) + 1 :] if folder else entry.path
        steps = name.split("/")
        if name.endswith("/") or any(is_derived(step) and step not in ("..", ".") for step in steps):
            continue
        if matching and not matching.fullmatch(name):
            continue
        if any(step in ("", ".", "..") for step in steps) or "\0" in name:
            left_out[name] = UNSAFE
            continue
        objects.append(StoredObject(name, entry.size_bytes, entry.mark, address.at(entry.path).url))
    if not objects:
        raise _nothing(address, left_out)
    return Listing(tuple(sorted(objects, key=lambda one: _order(one.name))), False, left_out)


def _of_web(address: Address, place: Backend) -> Listing:
    from aictl.stores.web import Web

    assert isinstance(place, Web)
    seen = place.look(address.path + address.query)
    if seen is None:
        raise NotFound(f"'{address.shown}' does not exist", cure="check the spelling")
    name = unquote(address.name)
    name = address.name if "/" in name or name in (".", "..") else name
    if "." not in name:
        name = (name or urlsplit(address.url).hostname or "page") + seen.suffix
    _, size_bytes, mark = seen.entry
    return Listing((StoredObject(name, size_bytes, mark, address.url),), True, {})


def _nothing(address: Address, left_out: Mapping[str, str]) -> NotFound:
    if left_out:
        name, reason = next(iter(left_out.items()))
        return NotFound(f"'{address.shown}' holds nothing that is taken: {name!r}: {reason}")
    return NotFound(
        f"'{address.shown}': there is no such object, and none below it",
        cure="check the spelling; hidden objects are not taken, and one at least has to be there",
    )


def _split(path: str) -> tuple[str, str]:
    """The folder to list, and the pattern that the names below it have to match, or nothing."""
    steps = path.rstrip("/").split("/")
    first = next((number for number, step in enumerate(steps) if _GLOB.search(step)), None)
    if first is None:
        return path.rstrip("/"), ""
    return "/".join(steps[:first]), _pattern("/".join(steps[first:]))


def _pattern(glob: str) -> str:
    """A glob as a regular expression: ``*`` and ``?`` stay within a step, ``**/`` is any number of steps."""
    made, at = "", 0
    for found in _GLOB.finditer(glob):
        made += re.escape(glob[at : found.start()])
        word = found[0]
        made += {"**/": "(?:[^/]+/)*", "*": "[^/]*", "?": "[^/]"}.get(word) or word.replace("[!", "[^").replace(
            "\\", "\\\\"
        )
        at = found.end()
    return made + re.escape(glob[at:])


def _order(name: str) -> list[tuple[bool, str]]:
    """In the order in which the same files are read from a folder: the files of a folder before those of
    the folders in it."""
    *folders, last = name.split("/")
    return [*((True, step) for step in folders), (False, last)]


def written(listing: Iterable[StoredObject]) -> bytes:
    """A listing as it stands in its file: without the credentials that a web address may have. In any
    other, what looks like a query is part of a name."""
    rows = [{**one._asdict(), "url": redacted(one.url) if one.url.startswith("http") else one.url} for one in listing]
    return b"".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode() + b"\n" for row in rows)


def objects_of(source: Source) -> list[StoredObject]:
    """The objects of a source that lies in a store (``source.facts["listing"]``), in order.

    Each has ``name``, ``size_bytes`` and ``open()``. Raises :class:`Damaged` if the list cannot be read.
    """
    try:
        rows = [json.loads(line) for line in source.path.read_bytes().splitlines()]
        found = [StoredObject(row["name"], row["size_bytes"], row["mark"], row["url"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(
            f"{source.path}, the list of what is in {source.uri}, cannot be read: {error}", cure="run it again"
        ) from error
    return [one._replace(url=source.private.get(one.url, one.url)) for one in found]
