"""A folder as a store: on this disk, or on one that several machines mount.

Objects are written under another name, synced, and renamed. No link below the folder is followed: what is
read and written lies in it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from aictl.core.errors import AictlError, BadInput, Damaged
from aictl.stores.address import Address
from aictl.stores.backend import Backend, Entry, Reader, changed, require_all, usual_meaning
from aictl.stores.crew import Crew
from aictl.stores.digests import sha256 as sha256_of

_BLOCK_BYTES = 2**20


class Folder(Backend):
    """One folder."""

    drafts = True

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._folder = Path(address.place)

    def entry(self, path: str) -> Entry | None:
        return self.ask("read", path, lambda: _entry(path, self._inside(path)))

    def entries(self, folder: str) -> Iterator[Entry]:
        top = self._inside(folder)
        for place, folders, files in os.walk(top):
            folders[:] = [name for name in folders if not os.path.islink(os.path.join(place, name))]  # noqa: PTH114, PTH118
            for name in files:
                path = Path(place, name)
                relative = path.relative_to(self._folder).as_posix()
                if not path.is_symlink() and (found := _entry(relative, path)):
                    yield found

    def reader(self, entry: Entry) -> Reader:
        return _Reader(self, self._inside(entry.path), entry)

    def write(self, path: str, data: bytes, *, draft: str, anew: bool = False) -> bool:
        def attempt() -> bool:
            target, place = self._inside(path), self._inside(draft)
            if anew and target.exists():
                return False
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
            return self._put(place, target, anew=anew)

        return self.ask("write", path, attempt)

    def upload(self, source: Path, path: str, *, sha256: str, draft: str, crew: Crew) -> None:
        def attempt() -> None:
            target, place = self._inside(path), self._inside(draft)
            place.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as reading, place.open("wb") as writing:
                while block := reading.read(_BLOCK_BYTES):
                    writing.write(block)
                    crew.moved(len(block))
            with place.open("rb") as written:
                arrived = sha256_of(iter(lambda: written.read(_BLOCK_BYTES), b""))
            if arrived != sha256:
                place.unlink()
                raise Damaged(f"{target} is not what was sent: the sha256 of what arrived is {arrived}")
            self._put(place, target, anew=False)

        self.ask("write", path, attempt)

    def remove(self, path: str) -> None:
        self.ask("remove", path, lambda: self._inside(path).unlink(missing_ok=True))

    def _put(self, draft: Path, target: Path, *, anew: bool) -> bool:
        """Let a finished draft be what stands at a path; with ``anew`` only if nothing does."""
        target.parent.mkdir(parents=True, exist_ok=True)
        _sync(draft)
        try:
            if anew:
                os.link(draft, target)
                draft.unlink()
            else:
                draft.replace(target)
        except FileExistsError:
            draft.unlink()
            return False
        _sync(target.parent)
        return True

    def _inside(self, path: str) -> Path:
        """Where a path of the store lies. Raises :class:`BadInput` if a link leads away from there."""
        found = self._folder / path if path else self._folder
        above = self._folder
        for step in Path(path).parts:
            above /= step
            if above.is_symlink():
                raise BadInput(
                    f"{above} is a link, and no link is followed in a store", cure="put there what it points at"
                )
        return found

    def _judge(self, error: Exception, verb: str, where: str) -> AictlError | None:
        if isinstance(error, shutil.Error | NotADirectoryError | IsADirectoryError):
            return BadInput(f"{where}: {error}", cure="give a folder that aictl may have to itself")
        return usual_meaning(error, verb, where)


class _Reader(Reader):
    def __init__(self, folder: Folder, path: Path, entry: Entry) -> None:
        self._folder, self._path, self._entry = folder, path, entry

    def read(self, start: int, end: int) -> bytes:
        return self._folder.ask("read", self._entry.path, lambda: self._read(start, end))

    def _read(self, start: int, end: int) -> bytes:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise changed(str(self._path)) from None
        try:
            found = os.fstat(descriptor)
            if (found.st_size, f"mtime:{found.st_mtime_ns}") != (self._entry.size_bytes, self._entry.mark):
                raise changed(str(self._path))
            return require_all(os.pread(descriptor, end - start, start), start, end)
        finally:
            os.close(descriptor)


def _entry(path: str, place: Path) -> Entry | None:
    try:
        found = place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Entry(path, found.st_size, f"mtime:{found.st_mtime_ns}") if place.is_file() else None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
