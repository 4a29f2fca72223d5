"""sha256 of files, remembered by size, mtime, ctime and inode so that large inputs are read once.

A file that changed within the clock's grain before it was hashed could change again without its
times showing it, so an entry younger than that is not trusted (git calls such an entry racy).
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from aictl.core.errors import BadInput

RACY_NS = 2_000_000_000  # coarse file systems keep times to 2 s (FAT); most are finer
_CHUNK_BYTES = 2**20


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

    With ``rehash`` every file is read again. A cache that cannot be opened or written (a read-only
    or full disk) is done without.
    """

    def __init__(self, path: Path, *, rehash: bool = False) -> None:
        self._path = path
        self._rehash = rehash
        self._fresh: dict[str, tuple[str, str]] = {}
        self._known: dict[str, tuple[str, str]] | None = None

    def __call__(self, path: Path) -> str:
        """sha256 of a file, as hex."""
        try:
            stat = path.stat()
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror}") from error
        name = os.fsencode(path.absolute()).hex() if not str(path).isprintable() else str(path.absolute())
        mark = f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_ino}"
        if not self._rehash:
            known = self._fresh.get(name) or self._load().get(name)
            if known and known[0] == mark:
                return known[1]
        began = time.time_ns()
        digest = sha256(path)
        if max(stat.st_mtime_ns, stat.st_ctime_ns) + RACY_NS < began:
            self._fresh[name] = (mark, digest)
        return digest

    def _load(self) -> dict[str, tuple[str, str]]:
        if self._known is None:
            self._known = {}
            if self._path.exists():
                with suppress(sqlite3.Error):
                    connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=5)
                    try:
                        rows = connection.execute("SELECT path, mark, sha256 FROM digests")
                        self._known = {path: (mark, digest) for path, mark, digest in rows}
                    finally:
                        connection.close()
        return self._known

    def save(self) -> None:
        """Remember what was hashed. Called when something else is written too: a run that finds
        everything up to date writes nothing."""
        if not self._fresh:
            return
        with suppress(sqlite3.Error):
            connection = sqlite3.connect(self._path, timeout=5)
            try:
                with connection:
                    connection.execute(
                        "CREATE TABLE IF NOT EXISTS digests (path TEXT PRIMARY KEY, mark TEXT, sha256 TEXT)"
                    )
                    rows = [(path, mark, digest) for path, (mark, digest) in self._fresh.items()]
                    connection.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", rows)
            finally:
                connection.close()
            self._load().update(self._fresh)
            self._fresh.clear()
