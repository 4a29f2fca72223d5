"""Names: what people call artifacts, and the versions that a name has stood for.

``artifacts/KIND/NAME@N`` is a link to an object in the store; the highest N is what NAME stands
for now. ``artifacts/KIND/NAME.ref`` holds that artifact's id in a small regular file, because make
can use neither a folder nor a link as a target. A name that comes to stand for something else gets
a new version, also when it is something it stood for before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from aictl.core.errors import BadRequest
from aictl.workspace import locks
from aictl.workspace.project import Project

MAX_NAME_BYTES = 120  # leaves room for a version and a suffix within a file system's 255
_NAME = re.compile(r"[^\W_][\w.+-]*")


def check_name(name: str) -> str:
    """The name, if it may be one: letters (of any script), digits, and ``. _ + -`` inside.

    Raises :class:`BadRequest`.
    """
    if not _NAME.fullmatch(name) or len(name.encode()) > MAX_NAME_BYTES or name.endswith(".ref"):
        raise BadRequest(
            f"--name {name!r} cannot be a name",
            cure="begin with a letter or digit and go on with letters, digits and . _ + -",
        )
    return name


class Names:
    """The names of one workspace."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def links(self, kind: str) -> Iterator[tuple[str, str]]:
        """(``NAME@N``, object) of a kind, in order of name and version."""
        folder = self.project.names / kind
        found = []
        with suppress(FileNotFoundError, NotADirectoryError):
            for entry in os.scandir(folder):
                name, at, version = entry.name.rpartition("@")
                if at and version.isascii() and version.isdigit() and entry.is_symlink():
                    found.append((name, int(version), kind + "/" + Path(entry.path).readlink().name))
        for name, number, object in sorted(found):
            yield f"{name}@{number}", object

    def versions(self, kind: str, name: str) -> dict[int, str]:
        """The objects that a name has stood for, by version, oldest first."""
        found = {}
        for label, object in self.links(kind):
            head, _, version = label.rpartition("@")
            if head == name:
                found[int(version)] = object
        return dict(sorted(found.items()))

    def current(self, kind: str, name: str) -> str | None:
        """The object that a name stands for now."""
        versions = self.versions(kind, name)
        return versions[max(versions)] if versions else None

    def newest(self) -> set[str]:
        """``KIND/NAME@N`` of every name as it stands now."""
        found = {}
        for kind in self._kinds():
            for label, _ in self.links(kind):  # in order of version, so the last one stays
                found[kind, label.rpartition("@")[0]] = f"{kind}/{label}"
        return set(found.values())

    def kinds_of(self, name: str) -> list[str]:
        """The kinds in which a name is used."""
        return [kind for kind in self._kinds() if self.current(kind, name)]

    def all(self) -> list[str]:
        """Every name in use, of any kind."""
        return sorted({name for kind in self._kinds() for name in self.of_kind(kind)})

    def of_kind(self, kind: str) -> list[str]:
        """Every name of a kind."""
        return sorted({label.rpartition("@")[0] for label, _ in self.links(kind)})

    def bind(self, kind: str, name: str, object: str, id: str) -> str:
        """Let a name stand for an object, as the ``NAME@N`` that is returned. If it does already, the
        ``.ref`` is touched and no more."""
        folder = self.project.names / kind
        reference = folder / f"{name}.ref"
        versions = self.versions(kind, name)
        newest = max(versions, default=0)
        if versions.get(newest) == object and _reads(reference, id):
            os.utime(reference)
            return f"{name}@{newest}"
        folder.mkdir(parents=True, exist_ok=True)
        with locks.exclusive(self.project.locks / f"name-{kind}-{name}", waiting=lambda who: None):
            versions = self.versions(kind, name)
            newest = max(versions, default=0)
            if versions.get(newest) != object:
                newest += 1
                target = os.path.relpath(self.project.store / object, folder)
                (folder / f"{name}@{newest}").symlink_to(target)
            _write(reference, id)
        return f"{name}@{newest}"

    def unbind(self, kind: str, label: str) -> None:
        """Take away ``NAME@N``; the name then stands for its next older version, or for nothing."""
        name = label.rpartition("@")[0]
        (self.project.names / kind / label).unlink(missing_ok=True)
        reference = self.project.names / kind / f"{name}.ref"
        if self.current(kind, name) is None:
            reference.unlink(missing_ok=True)

    def write_reference(self, kind: str, name: str, id: str) -> None:
        """Make the ``.ref`` of a name hold an id."""
        reference = self.project.names / kind / f"{name}.ref"
        if not _reads(reference, id):
            _write(reference, id)

    def _kinds(self) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self.project.names) if entry.is_dir())
        except FileNotFoundError:
            return []


def _reads(path: Path, id: str) -> bool:
    try:
        return path.read_text("utf-8").strip() == id
    except OSError:
        return False


def _write(path: Path, id: str) -> None:
    """Whole or not at all, and newer than before."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(id + "\n", "utf-8")
    fresh.replace(path)
