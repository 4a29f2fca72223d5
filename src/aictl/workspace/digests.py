"""sha256 of files, remembered by size, mtime, ctime and inode so that large inputs are read once.

A file that changed within the clock's grain before it was hashed could change again without its
times showing it, so an entry younger than that is not trusted (git calls such an entry racy).

What is remembered is a file of lines, ``MARK SHA256 PATH``, to which every run appends in one
write: runs that end together both keep theirs, and of a path that stands there twice the last counts.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

from aictl.core.errors import BadInput

RACY_NS = 2_000_000_000  # coarse file systems keep times to 2 s (FAT); most are finer
_CHUNK_BYTES = 2**20
_HEX_DIGITS = 64
_OUTDATED_SHARE = 0.5  # of the lines; beyond it the file is written anew


def sha256(path: Path) -> str:
    """sha256 of a file's bytes, as hex. Raises :class:`BadInput` if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


class Digests:
    """The remembered digests of one workspace. Losing the file costs time and nothing else.

    With ``rehash`` every file is read again. A file of digests that cannot be read or written (a
    read-only or full disk) is done without.
    """

    def __init__(self, path: Path, *, rehash: bool = False) -> None:
        self._path = path
        self._rehash = rehash
        self._fresh: dict[bytes, tuple[bytes, str]] = {}
        self._known: dict[bytes, tuple[bytes, str]] | None = None
        self._outdated = False

    def __call__(self, path: Path) -> str:
        """sha256 of a file, as hex."""
        try:
            stat = os.stat(path)  # noqa: PTH116  (asked of every file of every source, so its cost counts)
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror}") from error
        name = os.fsencode(os.path.abspath(path))  # noqa: PTH100
        mark = b"%d:%d:%d:%d" % (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        if not self._rehash:
            known = self._fresh.get(name) or self._load().get(name)
            if known and known[0] == mark:
                return known[1]
        began = time.time_ns()
        digest = sha256(path)
        if max(stat.st_mtime_ns, stat.st_ctime_ns) + RACY_NS < began and b"\n" not in name:
            self._fresh[name] = (mark, digest)
        return digest

    def _load(self) -> dict[bytes, tuple[bytes, str]]:
        if self._known is None:
            self._known = {}
            lines: list[bytes] = []
            with suppress(OSError):
                lines = self._path.read_bytes().split(b"\n")
            # The last piece is empty, or the torn line of a run that was killed while it wrote.
            for line in lines[:-1]:
                mark, _, rest = line.partition(b" ")
                digest, _, name = rest.partition(b" ")
                if len(digest) == _HEX_DIGITS and digest.isalnum() and digest.isascii():
                    self._known[name] = (mark, digest.decode())
            self._outdated = len(lines) * (1 - _OUTDATED_SHARE) > len(self._known) + 1
        return self._known

    def save(self) -> None:
        """Remember what was hashed. Called when something else is written too: a run that finds
        everything up to date writes nothing."""
        if not self._fresh:
            return
        known = self._load()
        known |= self._fresh
        with suppress(OSError):
            if self._outdated:
                anew = self._path.with_name(f"{self._path.name}.{os.getpid()}")
                anew.write_bytes(_lines(known))
                anew.replace(self._path)
                self._outdated = False
            else:
                with self._path.open("ab", buffering=0) as file:
                    # A newline first: what stands before it may be torn.
                    file.write(b"\n" + _lines(self._fresh))
        self._fresh.clear()


def _lines(entries: dict[bytes, tuple[bytes, str]]) -> bytes:
    return b"".join(b"%s %s %s\n" % (mark, digest.encode(), name) for name, (mark, digest) in entries.items())
