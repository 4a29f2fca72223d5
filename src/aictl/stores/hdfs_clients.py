"""The two ways to speak to HDFS, made alike."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from aictl.core.errors import BadRequest
from aictl.stores.address import Address

WEBHDFS_PORT = 9870  # of Hadoop 3; it was 50070 in Hadoop 2
_TIMEOUT_S = (10.0, 60.0)  # to connect; without a single byte
_BLOCK_BYTES = 16 * 2**20  # sent at once


class Status(NamedTuple):
    """A file or folder: its path without the slash before it, and the time of its last change."""

    path: str
    size_bytes: int
    modified_ms: int
    is_folder: bool


class Client(Protocol):
    """What is asked of a name node. Paths have no slash before them."""

    def status(self, path: str) -> Status | None: ...

    def children(self, folder: str) -> list[Status]: ...

    def read(self, path: str, start: int, end: int) -> bytes: ...

    def create(self, path: str, blocks: Iterable[bytes]) -> None: ...

    def rename(self, path: str, target: str, *, replace: bool) -> bool: ...

    def remove(self, path: str) -> None: ...


def client_of(root: Address) -> Client:
    """The client of an address. Raises :class:`BadRequest` if none can be made of it."""
    try:
        return _Native(root) if root.kind == "hdfs" else _Web(root)
    except ValueError as error:
        raise BadRequest(f"{root.shown}: {error}", cure="hdfs://HOST:PORT/PATH, or webhdfs://HOST:PORT/PATH") from error


class _Native:
    def __init__(self, root: Address) -> None:
        import hdfs_native

        _knock(root.place)
        self._client = hdfs_native.Client(f"hdfs://{root.place}" if root.place else None)
        self._overwriting = hdfs_native.WriteOptions(overwrite=True, create_parent=True)

    def status(self, path: str) -> Status | None:
        try:
            return _native_status(self._client.get_file_info(f"/{path}"))
        except FileNotFoundError:
            return None

    def children(self, folder: str) -> list[Status]:
        return [_native_status(row) for row in self._client.list_status(f"/{folder}", False)]

    def read(self, path: str, start: int, end: int) -> bytes:
        return bytes(self._client.read(f"/{path}").read_range(start, end - start))

    def create(self, path: str, blocks: Iterable[bytes]) -> None:
        with self._client.create(f"/{path}", self._overwriting) as file:
            for block in blocks:
                file.write(block)

    def rename(self, path: str, target: str, *, replace: bool) -> bool:
        self._client.mkdirs(os.path.dirname(f"/{target}"), 0o755, True)  # noqa: PTH120  (a path of HDFS)
        try:
            self._client.rename(f"/{path}", f"/{target}", replace)
        except FileExistsError:
            self.remove(path)
            return False
        return True

    def remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._client.delete(f"/{path}", False)


def _knock(place: str) -> None:
    """Raise ``OSError`` if nobody is at a host and port: hdfs-native would ask again for six minutes. What has no
    port is the name of several name nodes, which only it can find."""
    parts = urlsplit(f"//{place}")
    if parts.hostname and parts.port:
        socket.create_connection((parts.hostname, parts.port), _TIMEOUT_S[0]).close()


class _Web:
    def __init__(self, root: Address) -> None:
        from fsspec.implementations.webhdfs import WebHDFS

        parts = urlsplit(f"//{root.place}")
        user = parts.username or os.environ.get("HADOOP_USER_NAME")
        named = {"user": user} if user else {}
        self._fs = WebHDFS(parts.hostname or "", port=parts.port or WEBHDFS_PORT, **named)
        _watch(self._fs.session)

    def status(self, path: str) -> Status | None:
        try:
            return _web_status(path, self._fs.info(f"/{path}"))
        except FileNotFoundError:
            return None

    def children(self, folder: str) -> list[Status]:
        rows = self._fs.ls(f"/{folder}", detail=True)
        return [_web_status(row["name"].lstrip("/"), row) for row in rows]

    def read(self, path: str, start: int, end: int) -> bytes:
        return bytes(self._fs.cat_file(f"/{path}", start, end))

    def create(self, path: str, blocks: Iterable[bytes]) -> None:
        with self._fs.open(f"/{path}", "wb", block_size=_BLOCK_BYTES) as file:
            for block in blocks:
                file.write(block)

    def rename(self, path: str, target: str, *, replace: bool) -> bool:
        self._fs.mkdir(os.path.dirname(f"/{target}"))  # noqa: PTH120  (a path of HDFS)
        if replace and self.status(target):
            self.remove(target)
        # It answers false, and nothing else, where something has the name already.
        self._fs.mv(f"/{path}", f"/{target}")
        if self.status(path) is None:
            return True
        self.remove(path)
        return False

    def remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._fs.rm_file(f"/{path}")


def _watch(session: Any) -> None:
    """fsspec asks without a time limit, so that a name node that hangs would hang us, and takes what a data node
    says when it refuses for the bytes of the file."""
    from requests.adapters import HTTPAdapter

    class Limited(HTTPAdapter):  # type: ignore[misc]
        def send(self, *args: Any, **more: Any) -> Any:
            return super().send(*args, **{**more, "timeout": more.get("timeout") or _TIMEOUT_S})

    for scheme in ("http://", "https://"):
        session.mount(scheme, Limited(pool_maxsize=16))
    session.hooks["response"].append(_of_data_node)


def _of_data_node(response: Any, *_: Any, **__: Any) -> None:
    if response.status_code < 400 or "namenoderpcaddress=" not in response.url:
        return
    said = f"the data node says {response.status_code} {response.reason}"
    if response.status_code == 404:
        raise FileNotFoundError(said)
    if response.status_code == 403:
        raise PermissionError(said)
    response.raise_for_status()


def _native_status(row: Any) -> Status:
    return Status(row.path.lstrip("/"), row.length, row.modification_time, row.isdir)


def _web_status(path: str, row: dict[str, Any]) -> Status:
    return Status(path, row["length"], row["modificationTime"], row["type"] == "directory")
