"""How artifacts lie in a store: by their content, and whole before anything names them.

    aictl-depot.json               what kind of place this is
    blobs/SH/SHA256                every file of every artifact, once
    objects/KIND/ID-KEY-WAY.json   the record of one artifact, which names its files by sha256
    names/KIND/NAME@N.json         which object version N of a name is
    partial/                       what is being written, where a store cannot do without

Blobs come first, then the record of what an artifact was made from, then its own, then its name; each
is written whole or not at all. So a run that was killed at any moment leaves nothing that can be seen before it
is complete, and the next one finds what is there. Two that send the same write the same bytes under the
same keys; two that send different things under one name get different versions of it.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from aictl.core.artifact import Record
from aictl.core.errors import BadRequest, Damaged, NotFound
from aictl.stores.address import Address, parse
from aictl.stores.backend import PART_BYTES, open_place
from aictl.stores.copying import Copy, copy_all
from aictl.stores.crew import Crew
from aictl.stores.manifest import Blob, require_sane

LAYOUT = 1
MARKER = "aictl-depot.json"
MAX_RECORD_BYTES = 256 * 2**20
_DRAFTS_KEPT_S = 24 * 3600
_OBJECT = re.compile(r"(?P<kind>[a-z][a-z0-9_-]*)/[0-9a-f]{16}-[0-9a-f]{16}(-[0-9a-f]{8})?")
_NAME = re.compile(r"names/(?P<kind>[a-z][a-z0-9_-]*)/(?P<name>[^/]+)@(?P<version>[0-9]+)\.json")
_MOST_VERSIONS_AT_ONCE = 100


class NothingThere(NotFound):
    """Nobody ever pushed to a place that exists."""


class Version(NamedTuple):
    """One version of a name."""

    kind: str
    name: str
    number: int

    @property
    def label(self) -> str:
        return f"{self.name}@{self.number}"


class Depot:
    """The artifacts in one store."""

    def __init__(self, address: Address) -> None:
        if address.kind == "web":
            raise BadRequest(
                f"{address.shown} can be read and not written", cure="name a bucket, a folder, or a place in HDFS"
            )
        self.address = address
        self._place = open_place(address)
        self._prefix = f"{address.path.strip('/')}/" if address.path.strip("/") else ""

    # What is there

    def require_there(self) -> None:
        """Raises :class:`NothingThere` if nobody ever pushed to this place, :class:`NotFound` if there is none,
        and :class:`BadRequest` if a newer aictl pushed in another way."""
        data = self._read(MARKER)
        if data is None:
            next(self._place.entries(self._prefix.rstrip("/")), None)  # no such bucket is another matter
            raise NothingThere(
                f"no artifacts were pushed to {self.address.shown}",
                cure=f"check the spelling, or push some: aictl artifact push REF --store {self.address.shown}",
            )
        try:
            layout = json.loads(data)["layout"]
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged(f"{self._shown(MARKER)}: {error}", cure="is this a place that aictl made?") from error
        if layout != LAYOUT:
            raise BadRequest(f"{self.address.shown} is of layout {layout}, and this aictl knows {LAYOUT}")

    def present(self, objects: Iterable[str], crew: Crew) -> set[str]:
        """Those of some objects that are there, whole."""
        found: list[str] = []

        def look(object: str) -> None:
            if self._place.entry(self._key(f"objects/{object}.json")):
                found.append(object)

        crew.run(partial(look, one) for one in objects)
        return set(found)

    def objects(self, kind: str | None = None) -> Iterator[str]:
        """Every object (``KIND/ID-KEY-WAY``) of a kind, or of all kinds."""
        for path in self._below(f"objects/{kind}" if kind else "objects"):
            object = path.removeprefix("objects/").removesuffix(".json")
            if path.endswith(".json") and _OBJECT.fullmatch(object):
                yield object

    def record(self, object: str) -> Record:
        """The record of an object. Raises :class:`NotFound`, and :class:`Damaged` if it is no record or that of
        another object."""
        key = f"objects/{object}.json"
        data = self._read(key)
        if data is None:
            raise NotFound(f"{self.address.shown} has no {object}")
        try:
            record = Record.from_json(data)
            require_sane(record)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Damaged(f"{self._shown(key)}: {error}", cure="push it again with --force") from error
        if not object.startswith(f"{record.kind}/{record.id[:16]}-{record.key[:16]}"):
            raise Damaged(f"{self._shown(key)} is the record of another artifact", cure="push it again with --force")
        return record

    def records(self, objects: Iterable[str], crew: Crew) -> dict[str, Record]:
        """The records of several objects, asked for at once."""
        found: dict[str, Record] = {}

        def read(object: str) -> None:
            found[object] = self.record(object)

        wanted = list(objects)
        crew.run(partial(read, one) for one in wanted)
        return {one: found[one] for one in wanted}

    def versions(self, kind: str | None = None, name: str | None = None) -> list[Version]:
        """Every version of every name, or of one, oldest first."""
        found = []
        for path in self._below(f"names/{kind}" if kind else "names"):
            parts = _NAME.fullmatch(path)
            if parts and name in (None, parts["name"]):
                found.append(Version(parts["kind"], parts["name"], int(parts["version"])))
        return sorted(found)

    def object_of(self, version: Version) -> str:
        """The object that a version of a name is. Raises :class:`Damaged`."""
        key = _name_key(version)
        try:
            object = json.loads(self._read(key) or b"")["object"]
            if not _OBJECT.fullmatch(object):
                raise ValueError(f"{object!r} is no object")
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged(f"{self._shown(key)}: {error}", cure="push it again") from error
        return str(object)

    def objects_of(self, versions: Iterable[Version], crew: Crew) -> dict[Version, str]:
        """The objects of several versions, asked for at once."""
        found: dict[Version, str] = {}

        def read(version: Version) -> None:
            found[version] = self.object_of(version)

        crew.run(partial(read, one) for one in versions)
        return found

    # Sending

    def begin(self, *, dry_run: bool = False) -> None:
        """Make the place ready to be pushed to, and clear away what killed runs left."""
        try:
            self.require_there()
        except NothingThere:
            if not dry_run:
                marker = json.dumps({"layout": LAYOUT, "about": "artifacts of aictl: see `aictl artifact pull --help`"})
                self._write(MARKER, marker.encode() + b"\n", anew=True)
        if self._place.drafts and not dry_run:
            self._clear_drafts()

    def missing(self, blobs: Mapping[Blob, Path], crew: Crew) -> dict[Blob, Path]:
        """Those of some blobs that are not there, or not in their whole length."""
        found: list[Blob] = []

        def look(blob: Blob) -> None:
            entry = self._place.entry(self._blob_key(blob))
            if entry is None or entry.size_bytes != blob.size_bytes:
                found.append(blob)

        crew.run(partial(look, blob) for blob in blobs)
        return {blob: path for blob, path in blobs.items() if blob in set(found)}

    def send(self, blobs: Mapping[Blob, Path], crew: Crew) -> None:
        """Write blobs; what arrived is what was sent. Raises :class:`Damaged` where it is not."""

        def send_one(blob: Blob, path: Path) -> None:
            key = self._blob_key(blob)
            self._place.upload(path, key, sha256=blob.sha256, draft=self._draft(), crew=crew)

        # A large one is sent in parts that are themselves sent at once.
        small = {blob: path for blob, path in blobs.items() if blob.size_bytes <= PART_BYTES}
        crew.run(partial(send_one, blob, path) for blob, path in small.items())
        for blob, path in blobs.items():
            if blob not in small:
                send_one(blob, path)

    def put_record(self, object: str, record: bytes) -> None:
        """Let an artifact be seen: all its blobs are there."""
        self._write(f"objects/{object}.json", record)

    def bind(self, kind: str, name: str, object: str, id: str) -> Version:
        """Let a name stand for an object, as a version of its own; the one it has if it does so already."""
        value = {"object": object, "id": id, "pushed": datetime.now(UTC).isoformat(timespec="seconds")}
        data = json.dumps(value).encode() + b"\n"
        versions = self.versions(kind, name)
        newest = versions[-1] if versions else Version(kind, name, 0)
        if versions and self.object_of(newest) == object:
            return newest
        for _ in range(_MOST_VERSIONS_AT_ONCE):
            newest = newest._replace(number=newest.number + 1)
            if self._write(_name_key(newest), data, anew=True):
                return newest
            if self.object_of(newest) == object:  # somebody else pushed the very same
                return newest
        raise BadRequest(f"{self.address.shown}: '{name}' is being pushed by too many at once")

    # Fetching

    def fetch(self, blobs: Iterable[Blob], target: Callable[[Blob], Path], crew: Crew) -> None:
        """Fetch blobs into files, going on from what is there of them. Their bytes are not checked here. Raises
        :class:`Damaged` for one that is not there or of another length."""
        copies: list[Copy] = []

        def look(blob: Blob) -> None:
            key = self._blob_key(blob)
            entry = self._place.entry(key)
            if entry is None or entry.size_bytes != blob.size_bytes:
                state = "is missing" if entry is None else f"has {entry.size_bytes} bytes in place of {blob.size_bytes}"
                raise Damaged(f"{self.root_shown(key)} {state}", cure=REPUSH)
            copies.append(Copy(self._place, entry, target(blob)))

        crew.run(partial(look, blob) for blob in blobs)
        copy_all(sorted(copies, key=lambda one: one.entry.path), crew)

    def shown_blob(self, blob: Blob) -> str:
        """Where a blob lies, for a message."""
        return self.root_shown(self._blob_key(blob))

    # Keys

    def root_shown(self, key: str) -> str:
        return self._place.root.at(key).shown

    def _shown(self, name: str) -> str:
        return self.root_shown(self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _blob_key(self, blob: Blob) -> str:
        return self._key(f"blobs/{blob.sha256[:2]}/{blob.sha256}")

    def _draft(self) -> str:
        return self._key(f"partial/{int(time.time())}-{uuid.uuid4().hex}")

    def _below(self, folder: str) -> Iterator[str]:
        for entry in self._place.entries(self._key(folder)):
            yield entry.path.removeprefix(self._prefix)

    def _read(self, name: str) -> bytes | None:
        """A small object, or None if there is none."""
        entry = self._place.entry(self._key(name))
        if entry is None:
            return None
        if entry.size_bytes > MAX_RECORD_BYTES:
            raise Damaged(f"{self._shown(name)} has {entry.size_bytes} bytes, which is no record")
        with self._place.reader(entry) as reader:
            return reader.read(0, entry.size_bytes)

    def _write(self, name: str, data: bytes, *, anew: bool = False) -> bool:
        return self._place.write(self._key(name), data, draft=self._draft(), anew=anew)

    def _clear_drafts(self) -> None:
        for entry in list(self._place.entries(self._key("partial"))):
            began = entry.path.rpartition("/")[2].partition("-")[0]
            if began.isdigit() and time.time() - int(began) > _DRAFTS_KEPT_S:
                self._place.remove(entry.path)


REPUSH = "push it again, with --force, from a workspace that has it whole"


def _name_key(version: Version) -> str:
    return f"names/{version.kind}/{version.label}.json"


def at(text: str) -> Depot:
    """The depot at what a person typed. Raises :class:`BadRequest` if nothing was."""
    if not text.strip():
        raise BadRequest(
            "no store is named", cure="--store s3://BUCKET/PREFIX, or a folder; aictl.toml can name it for good"
        )
    return Depot(parse(text))
