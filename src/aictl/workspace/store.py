"""The store: every artifact as one folder, whole or not there.

A folder is called by the heads of its artifact's id, its key, and the way it was made: the names and
paths under which its inputs were asked for. One content can be made in two ways, and one key can be
reached from two sources; then there are two folders, and each says what it depends on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from aictl.core import doors
from aictl.core.artifact import RECORD_NAME, Artifact, InputRecord, Record
from aictl.core.errors import AictlError, Damaged, NotFound
from aictl.workspace.digests import sha256
from aictl.workspace.names import Names
from aictl.workspace.project import Project

OpenInput: TypeAlias = Callable[[InputRecord], Artifact]

HEAD = 16  # hex digits of an id or key in a folder's name: 64 bits, and the record has the whole


class Store:
    """The artifacts of one workspace, by id, by key and by object (``KIND/ID-KEY``)."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.names = Names(project)
        self._records: dict[str, Record] = {}

    def objects(self, kind: str | None = None) -> Iterator[str]:
        """Every object of a kind, or of all kinds."""
        kinds = [kind] if kind else self._kinds()
        for each in kinds:
            for folder in self._folders(each):
                yield f"{each}/{folder}"

    def record(self, object: str) -> Record:
        """The record of an object. Raises ``NotFound`` or ``Damaged``."""
        if object not in self._records:
            self._records[object] = Record.read(self.project.store / object)
        return self._records[object]

    def inputs(self, object: str) -> tuple[InputRecord, ...]:
        """What an object was made from; nothing if its record is damaged, since then nobody knows."""
        return self.record(object).inputs if self.is_readable(object) else ()

    def is_readable(self, object: str) -> bool:
        """Whether an object's record can be read."""
        try:
            self.record(object)
        except AictlError:
            return False
        return True

    def with_key(self, kind: str, key: str, way: str | None = None) -> str | None:
        """The newest whole object made with a key, in any way or in one."""
        found = []
        for one in self._folders(kind):
            parts = one.split("-")
            if parts[1:2] == [key[:HEAD]] and way in (None, parts[-1]):
                found.append(f"{kind}/{one}")
        return self._newest(found, key=key)

    def with_id(self, kind: str, id: str) -> list[str]:
        """The objects whose content is ``id``, or begins with it."""
        found = [f"{kind}/{one}" for one in self._folders(kind) if one.startswith(id[:HEAD])]
        return [one for one in found if self.is_readable(one) and self.record(one).id.startswith(id)]

    def open(self, object: str, name: str | None = None, open_input: OpenInput | None = None) -> Artifact:
        """The artifact of an object, knowing its name and what it was made from, which
        ``open_input`` opens."""
        kind = object.partition("/")[0]
        made: type[Artifact] = doors.kind(kind)
        return made(
            self.project.store / object,
            record=self.record(object),
            name=name or self.first_name(object),
            open_input=open_input or self.open_input,
        )

    def open_input(self, row: InputRecord, open_input: OpenInput | None = None) -> Artifact:
        """The artifact that an input row names. Raises ``NotFound`` if it was removed."""
        assert row.kind and row.object
        if (self.project.store / row.object).is_dir():
            return self.open(row.object, row.name, open_input)
        raise NotFound(
            f"{row.kind} '{row.name or row.id[:12]}', from which this was made, is no longer in the workspace",
            cure=f"make it again, or give what was made from it as a {row.kind} of its own",
        )

    def lock_of(self, object: str) -> Path:
        """The lock of an object: shared by its readers, held alone by whoever removes it."""
        return self.project.locks / f"object-{object.replace('/', '-')}"

    def bind(self, object: str, name: str) -> Path:
        """Let a name stand for an object, and return the path by which it now does."""
        kind = object.partition("/")[0]
        label = self.names.bind(kind, name, object, self.record(object).id)
        self.__dict__.pop("labels", None)
        return self.project.names / kind / label

    def path(self, object: str) -> Path:
        """The path to show for an object: by its newest name if it has one."""
        labels = self.labels.get(object)
        kind = object.partition("/")[0]
        return self.project.names / kind / labels[-1] if labels else self.project.store / object

    @cached_property
    def labels(self) -> dict[str, list[str]]:
        """``NAME@N`` of every object that has a name."""
        found: dict[str, list[str]] = {}
        for kind in self._kinds():
            for label, object in self.names.links(kind):
                found.setdefault(object, []).append(label)
        return found

    @cached_property
    def pulled(self) -> dict[str, str]:
        """The objects that were made in another workspace, and the store that each came from."""
        try:
            lines = self.project.pulled.read_text("utf-8").splitlines()
        except OSError:
            return {}
        return dict(line.split("\t", 1) for line in lines if "\t" in line)

    def mark_pulled(self, objects: Sequence[str], store: str) -> None:
        """Remember where objects came from."""
        with self.project.pulled.open("a", encoding="utf-8") as file:
            file.write("".join(f"{object}\t{store}\n" for object in objects))
        self.__dict__.pop("pulled", None)

    def first_name(self, object: str) -> str | None:
        labels = self.labels.get(object)
        return labels[-1].rpartition("@")[0] if labels else None

    def commit(self, made: Path, record: Record) -> str:
        """Put a finished folder into the store under its record, all at once; it is moved away.

        If the very same object is there already and whole, the new one is dropped.
        """
        object = f"{record.kind}/{record.id[:HEAD]}-{record.key[:HEAD]}-{way_of(record.inputs)}"
        target = self.project.store / object
        if target.exists() and not self._is_damaged(object):
            shutil.rmtree(made)
            return object
        (made / RECORD_NAME).write_bytes(record.to_json())
        readable = (made / RECORD_NAME).stat().st_mode & 0o777
        for path in files_below(made):
            # Some libraries write files for their owner's eyes alone; a container runs as another user.
            path.chmod(path.stat().st_mode | readable)
        sync_tree(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            self.remove(object)
        made.rename(target)
        _sync(target.parent)
        self._records.pop(object, None)
        self.__dict__.pop("labels", None)
        return object

    def adopt(self, twin: str, inputs: tuple[InputRecord, ...], place: Path) -> str:
        """The artifact of ``twin`` once more, as made from other inputs of the same content, so that
        it follows them. Its files are shared on disk; ``place`` is where it is put together."""
        shutil.rmtree(place, ignore_errors=True)
        record = self.record(twin)._replace(inputs=inputs, created=datetime.now(UTC).isoformat(timespec="milliseconds"))
        for path in record.files:
            target = place / path
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(self.project.store / twin / path, target)
        return self.commit(place, record)

    def _is_damaged(self, object: str) -> bool:
        try:
            return bool(self.damage(object))
        except AictlError:
            return True

    def remove(self, object: str) -> None:
        """Take an object out of the store: first out of sight, then off the disk."""
        doomed = self.project.making / f"removed-{object.replace('/', '-')}-{os.getpid()}"
        doomed.parent.mkdir(parents=True, exist_ok=True)
        (self.project.store / object).rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
        self._records.pop(object, None)
        self.__dict__.pop("labels", None)

    def damage(self, object: str) -> list[str]:
        """What differs between an object's files and its record, every byte read again."""
        folder = self.project.store / object
        record = self.record(object)
        found = []
        present = {path.relative_to(folder).as_posix() for path in files_below(folder)} - {RECORD_NAME}
        for path in sorted(present | set(record.files)):
            entry = record.files.get(path)
            if entry is None:
                found.append(f"{path}: is not in the record")
            elif path not in present:
                found.append(f"{path}: is missing")
            elif (folder / path).stat().st_size != entry["size"]:
                found.append(f"{path}: has {(folder / path).stat().st_size} bytes, and the record says {entry['size']}")
            elif sha256(folder / path) != entry["sha256"]:
                found.append(f"{path}: its sha256 is not the one in the record")
        if not found:
            try:
                artifact = self.open(object)
                artifact.check()
                if artifact.content(record.files) != record.id:
                    found.append(f"{RECORD_NAME}: the id is not that of the content")
            except Damaged as error:
                found.append(error.message)
        return found

    def _kinds(self) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self.project.store) if entry.is_dir())
        except FileNotFoundError:
            return []

    def _folders(self, kind: str) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self.project.store / kind))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _newest(self, objects: list[str], key: str) -> str | None:
        # A damaged record makes nothing up to date.
        whole = [(self.record(one).created, one) for one in objects if self.is_readable(one)]
        whole = [(created, one) for created, one in whole if self.record(one).key == key]
        return max(whole)[1] if whole else None


def way_of(inputs: Sequence[InputRecord]) -> str:
    """The head of a hash over where each input was found: the name it was asked for by, or else the
    object or the path itself."""
    places = [[row.role, row.kind, row.name or row.object or row.path or row.uri] for row in inputs]
    return hashlib.sha256(json.dumps(places, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def files_below(folder: Path) -> list[Path]:
    """Every file in a folder, at any depth, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def listing(folder: Path) -> dict[str, dict[str, Any]]:
    """sha256 and size of every file of a finished folder, by relative path."""
    for path in folder.rglob("*"):
        # What a link points at can change without the artifact, which never does.
        assert not path.is_symlink(), f"{path} is a link, and an artifact holds files alone"
    return {
        path.relative_to(folder).as_posix(): {"sha256": sha256(path), "size": path.stat().st_size}
        for path in files_below(folder)
    }


def sync_tree(folder: Path) -> None:
    """Ask the disk to hold every file and folder below before anything points at them."""
    for path in files_below(folder):
        _sync(path)
    for path in [folder, *(one for one in folder.rglob("*") if one.is_dir())]:
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
