"""What every kind of store can do, as few requests as there can be, each of them made patiently.

An object's *mark* tells one version of it from another: a digest where the store has one (S3's ETag,
Google's MD5), a version or generation, or the time of its last change. Whoever lists an object and reads
it later gets the bytes of that mark or an error.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import lru_cache
from os import getpid
from pathlib import Path
from typing import ClassVar, NamedTuple, Self, TypeVar

from aictl.core import extras
from aictl.core.errors import AictlError, BadRequest, MachineLacks, NotFound, TryLater
from aictl.stores.address import Address
from aictl.stores.crew import Crew
from aictl.stores.patience import FIRST, USUAL, first_line, patiently

T = TypeVar("T")

PART_BYTES = 16 * 2**20  # of an object that is moved in parts; S3 takes 5 MiB to 5 GiB
_DONE = {"list": "listed", "read": "read", "write": "written", "remove": "removed"}
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Entry(NamedTuple):
    """An object: its path in its place, its size, and the mark of this version of it."""

    path: str
    size_bytes: int
    mark: str


class Reader(ABC):
    """Reads one object of one mark, piece by piece."""

    @abstractmethod
    def read(self, start: int, end: int) -> bytes:
        """The bytes from ``start`` up to ``end``, all of them. Raises :class:`TryLater` if the object is no
        longer that of its mark, or when patience is at an end."""

    def close(self) -> None:  # noqa: B027  (most hold nothing between two reads)
        """Let go of whatever is held between two reads."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failed: object) -> None:
        self.close()


class Backend(ABC):
    """One place (a bucket, a host) of a store. It may be asked from several threads."""

    extra: ClassVar[str | None] = None
    drafts: ClassVar[bool] = False
    """Whether objects are first written under another name, so that killed runs leave some."""

    def __init__(self, address: Address) -> None:
        self.root = address.at("")
        self._reached = False

    # What a store is asked

    @abstractmethod
    def entry(self, path: str) -> Entry | None:
        """The object at a path, or None if there is none."""

    @abstractmethod
    def entries(self, folder: str) -> Iterator[Entry]:
        """Every object below ``folder/``, at any depth, in no particular order; all of the place's if
        ``folder`` is empty."""

    @abstractmethod
    def reader(self, entry: Entry) -> Reader:
        """Whoever reads this version of an object."""

    def write(self, path: str, data: bytes, *, draft: str, anew: bool = False) -> bool:
        """Write a small object, whole or not at all. With ``anew`` only where nothing is yet; returns
        whether it was written. ``draft`` is a path of the caller's own to write it under first, where
        the store needs one."""
        raise self._read_only()

    def upload(self, source: Path, path: str, *, sha256: str, draft: str, crew: Crew) -> None:
        """Write a file whole or not at all, and make sure that what the store has is what was sent: the
        bytes of that sha256. Raises :class:`Damaged` where it is not. Bytes are told to ``crew.moved``."""
        raise self._read_only()

    def remove(self, path: str) -> None:
        """Take an object away; none is there already is no error."""
        raise self._read_only()

    # For those who implement it

    @abstractmethod
    def _judge(self, error: Exception, verb: str, where: str) -> AictlError | None:
        """What an exception means: an error that will not pass, or None for one that may. ``verb`` is what
        was attempted (list, read, write). What it does not know it raises again: a bug."""

    def ask(self, verb: str, path: str, work: Callable[[], T]) -> T:
        """Ask the store something, patiently."""
        where = self.root.at(path).shown
        made = patiently(
            work,
            judge=lambda error: self._judge(error, verb, where),
            failed=f"{where} could not be {_DONE[verb]}",
            patience=USUAL if self._reached else FIRST,
        )
        self._reached = True
        return made

    def _read_only(self) -> BadRequest:
        return BadRequest(f"{self.root.shown} can be read and not written", cure="name a bucket or a folder")


class Changed(TryLater):
    """An object is not the one that was listed."""


def changed(where: str) -> Changed:
    """The error for an object that is not the one that was listed."""
    return Changed(f"{where} changed after it was listed", cure="run the command again, and it is listed anew")


def require_all(data: bytes, start: int, end: int) -> bytes:
    """The bytes of a range, if they are all there. Raises ``ConnectionError``, which passes."""
    if len(data) != end - start:
        raise ConnectionError(f"{len(data)} bytes came of the {end - start} from byte {start}")
    return data


def usual_meaning(error: Exception, verb: str, where: str) -> AictlError | None:
    """What Python's own exceptions mean of a store; raises again what they are not."""
    if isinstance(error, FileNotFoundError):
        return NotFound(f"{where} does not exist", cure="check the spelling")
    if isinstance(error, PermissionError):
        return MachineLacks(f"may not {verb} {where}: {first_line(error)}", cure="use credentials that may")
    if isinstance(error, OSError) and error.errno in _FULL:
        return MachineLacks(f"{where}: the store is full", cure="make room there, and run it again")
    if isinstance(error, OSError | EOFError):
        return None
    raise error


def open_place(address: Address) -> Backend:
    """The place of an address. Raises :class:`ExtraMissing` where its library is not installed."""
    return _opened(address.at(""), getpid())


@lru_cache(maxsize=64)
def _opened(root: Address, process: int) -> Backend:
    """One for each place and process: connections do not survive a fork."""
    made = _class_of(root.kind)
    return made(root)


def _class_of(kind: str) -> type[Backend]:
    if kind == "folder":
        from aictl.stores.folder import Folder

        return Folder
    if kind == "web":
        from aictl.stores.web import Web

        return Web
    extras.require({"gs": "gcs", "az": "azure"}.get(kind, "stores"))
    if kind == "s3":
        from aictl.stores.s3 import S3

        return S3
    if kind in ("hdfs", "webhdfs"):
        from aictl.stores.hdfs import Hdfs

        return Hdfs
    from aictl.stores.cloud import Cloud

    return Cloud
