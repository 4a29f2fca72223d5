"""HDFS, by its own protocol (``hdfs://``) or over HTTP (``webhdfs://``).

hdfs-native speaks the protocol without Java, and is several times as fast; webhdfs, fsspec's, goes through
gateways and proxies. Settings are those of ``HADOOP_CONF_DIR`` and ``HADOOP_USER_NAME``, Kerberos tickets,
and for webhdfs fsspec's (``FSSPEC_WEBHDFS_TOKEN``, ``FSSPEC_WEBHDFS_KERBEROS=true``).

A file is written under another name, read back, and renamed, which is atomic.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aictl.core.errors import AictlError, Damaged, MachineLacks
from aictl.stores.address import Address
from aictl.stores.backend import Backend, Entry, Reader, changed, require_all, usual_meaning
from aictl.stores.crew import Crew
from aictl.stores.digests import sha256 as sha256_of
from aictl.stores.hdfs_clients import Client, Status, client_of
from aictl.stores.patience import first_line

_BLOCK_BYTES = 8 * 2**20


class Hdfs(Backend):
    """The file system of one name node."""

    drafts = True

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._opened: Client | None = None

    @property
    def _client(self) -> Client:
        if self._opened is None:
            self._opened = client_of(self.root)
        return self._opened

    def entry(self, path: str) -> Entry | None:
        found = self._ask_status(path)
        return _entry(found) if found and not found.is_folder else None

    def entries(self, folder: str) -> Iterator[Entry]:
        found = self._ask_status(folder)
        if found is None or not found.is_folder:
            return
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            for status in self.ask("list", here, lambda: self._client.children(here)):  # noqa: B023
                if status.is_folder:
                    waiting.append(status.path)
                else:
                    yield _entry(status)

    def _ask_status(self, path: str) -> Status | None:
        return self.ask("read", path, lambda: self._client.status(path))

    def reader(self, entry: Entry) -> Reader:
        return _Reader(self, entry)

    def range(self, entry: Entry, start: int, end: int) -> bytes:
        """The bytes of a range, of whatever version is there."""

        def read() -> bytes:
            try:
                return require_all(self._client.read(entry.path, start, end), start, end)
            except FileNotFoundError as error:
                raise changed(self.root.at(entry.path).shown) from error

        return self.ask("read", entry.path, read)

    def write(self, path: str, data: bytes, *, draft: str, anew: bool = False) -> bool:
        def attempt() -> bool:
            if anew and self._client.status(path):
                return False
            self._client.create(draft, [data])
            return self._client.rename(draft, path, replace=not anew)

        return self.ask("write", path, attempt)

    def upload(self, source: Path, path: str, *, sha256: str, draft: str, crew: Crew) -> None:
        def attempt() -> None:
            with source.open("rb") as file:
                self._client.create(draft, _told(iter(lambda: file.read(_BLOCK_BYTES), b""), crew))
            size_bytes = source.stat().st_size
            written = Entry(draft, size_bytes, "")
            ranges = ((start, min(start + _BLOCK_BYTES, size_bytes)) for start in range(0, size_bytes, _BLOCK_BYTES))
            arrived = sha256_of(self.range(written, start, end) for start, end in ranges)
            if arrived != sha256:
                self._client.remove(draft)
                raise Damaged(f"{self.root.at(path).shown} is not what was sent: its sha256 is {arrived}")
            self._client.rename(draft, path, replace=True)

        self.ask("write", path, attempt)

    def remove(self, path: str) -> None:
        self.ask("remove", path, lambda: self._client.remove(path))

    def _judge(self, error: Exception, verb: str, where: str) -> AictlError | None:
        said = f"{type(error).__name__}: {error}"
        if isinstance(error, PermissionError) or "AccessControlException" in said or "Permission denied" in said:
            return MachineLacks(
                f"this user may not {verb} {where}: {first_line(error)}",
                cure="HADOOP_USER_NAME names the user, or with Kerberos: kinit",
            )
        if "QuotaExceeded" in said or "could only be replicated to 0" in said:
            return MachineLacks(f"{where}: the store is full: {first_line(error)}", cure="make room there")
        if any(word in said for word in ("Kerberos", "GSSAPI", "SIMPLE authentication is not enabled")):
            return MachineLacks(f"{where}: {first_line(error)}", cure="kinit, and HADOOP_CONF_DIR")
        # Both clients give what the name node refuses as plain exceptions of these kinds.
        return None if isinstance(error, RuntimeError) else usual_meaning(error, verb, where)


class _Reader(Reader):
    """Reads a file and then looks whether it still is the one that was listed: files of HDFS are written
    once, so that one which was replaced has another time."""

    def __init__(self, hdfs: Hdfs, entry: Entry) -> None:
        self._hdfs, self._entry = hdfs, entry
        self._looked = False

    def read(self, start: int, end: int) -> bytes:
        data = self._hdfs.range(self._entry, start, end) if end > start else b""
        if not self._looked or end == self._entry.size_bytes:
            if self._hdfs.entry(self._entry.path) != self._entry:
                raise changed(self._hdfs.root.at(self._entry.path).shown)
            self._looked = True
        return data


def _entry(status: Status) -> Entry:
    return Entry(status.path, status.size_bytes, f"mtime:{status.modified_ms}")


def _told(blocks: Iterator[bytes], crew: Crew) -> Iterator[bytes]:
    for block in blocks:
        yield block
        crew.moved(len(block))
