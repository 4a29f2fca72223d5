"""``pkg:NAME==VERSION``: a wheel of the configured Python package index, taken as an archive.

pip fetches it (so that its indexes, mirrors, proxies and credentials are those of the user) without
dependencies and never as a source distribution, which would run code. What was fetched is kept:

    CACHE/NAME==VERSION/       the data files
    CACHE/NAME==VERSION.json   the wheel's file name, sha256, facts, and the digest of the data files
    CACHE/NAME==VERSION.lock   held while fetching

The index file is written last, so a kill leaves either all of it or something that the next run
clears away. With it a pinned version needs no network.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aictl.core.artifact import Source
from aictl.core.errors import BadInput, BadRequest, Damaged, MachineLacks
from aictl.core.events import Events
from aictl.core.walk import regular_files
from aictl.workspace.locks import exclusive
from aictl.workspace.sources import archive, pip
from aictl.workspace.sources.path import digest

# https://packaging.python.org/en/latest/specifications/name-normalization/ and version-specifiers/
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"[A-Za-z0-9][A-Za-z0-9._+!-]*"
_URI = re.compile(rf"pkg:(?P<name>{_NAME})==(?P<version>{_VERSION})(?:#sha256=(?P<sha256>[0-9A-Fa-f]{{64}}))?")

NAME_ONE = "XDG_CACHE_HOME=FOLDER (or AICTL_CACHE) names one that can be written and has room"


@dataclass(frozen=True)
class Pin:
    """One version of one package, and the sha256 that its wheel must have if one was given."""

    name: str
    version: str
    sha256: str | None

    @property
    def label(self) -> str:
        return f"{self.name}=={self.version}"


def parse(uri: str) -> Pin:
    """Read ``pkg:NAME==VERSION[#sha256=HEX]``. Raises :class:`BadRequest`, saying how it is written."""
    found = _URI.fullmatch(uri)
    if found is None:
        name = re.match(rf"pkg:({_NAME})", uri)
        example = f"pkg:{name[1] if name else 'NAME'}==VERSION"
        detail = "names no version" if name and name.end() == len(uri) else f"is not of the form {example}[#sha256=HEX]"
        raise BadRequest(f"'{uri}' {detail}", cure=f"name one exact version: {example}")
    name_normal = re.sub(r"[-_.]+", "-", found["name"]).lower()
    return Pin(name_normal, found["version"], found["sha256"] and found["sha256"].lower())


def pinned(uri: str) -> dict[str, str]:
    """The sha256 of the wheel if one was given: what is in it follows from that."""
    sha256 = parse(uri).sha256
    return {"sha256": sha256} if sha256 else {}


def cache_folder() -> Path:
    """Where downloads are kept: ``AICTL_CACHE``, or ``aictl`` in the user's cache folder.

    Raises :class:`MachineLacks` if this user has none.
    """
    if named := os.environ.get("AICTL_CACHE"):
        return Path(named).absolute()
    base = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    if not base.is_absolute():
        raise MachineLacks("downloads have no place: this user has no home folder, and HOME is not set", cure=NAME_ONE)
    return base / "aictl"


def resolve(
    uri: str,
    *,
    cache: Path,
    hash_file: Callable[[Path], str],
    events: Events,
    before_fetch: Callable[[], None],
) -> Source:
    """The data files of a wheel, from ``cache`` or fetched into it, after ``before_fetch``.

    Raises :class:`Damaged` if the wheel's sha256 is not the pinned one, :class:`MachineLacks` if the
    cache cannot be written, and what :mod:`~aictl.workspace.sources.pip` and
    :mod:`~aictl.workspace.sources.archive` raise.
    """
    pin = parse(uri)
    index = _kept(pin, cache, hash_file)
    if index is None:
        before_fetch()
        lock = cache / f"{pin.label}.lock"
        try:
            with exclusive(lock, lambda holder: events.noted(f"waiting for {holder}, which is fetching {pin.label}")):
                index = _kept(pin, cache, hash_file) or _fetch(pin, cache, hash_file, events)
        except OSError as error:
            what = "is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else f"cannot be written: {error.strerror}"
            raise MachineLacks(f"the folder for downloads, {cache}, {what}", cure=NAME_ONE) from error
    return Source(uri, cache / pin.label, index["digest"], index["facts"])


def _kept(pin: Pin, cache: Path, hash_file: Callable[[Path], str]) -> dict[str, Any] | None:
    """The index of what is kept, or None if it is not there or not what was put there."""
    try:
        index = json.loads((cache / f"{pin.label}.json").read_text("utf-8"))
        intact = index["digest"] == _digest(cache / pin.label, hash_file)
        sha256 = index["facts"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError, BadInput):
        return None
    if not intact:
        return None
    _require(pin, sha256)
    return index


def _fetch(pin: Pin, cache: Path, hash_file: Callable[[Path], str], events: Events) -> dict[str, Any]:
    """Download, check and unpack. The caller holds the lock, so whatever is half-made is a dead run's."""
    work = cache / f"{pin.label}.new"
    folder = cache / pin.label
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        task = f"fetch {pin.label}"
        events.started(task)
        wheel = pip.download(pin.name, pin.version, work / "wheel")
        sha256 = _sha256(wheel)
        _require(pin, sha256)
        facts = archive.unpack(wheel, work / "data")
        facts = {"sha256": sha256, "wheel": wheel.name, "size_bytes": wheel.stat().st_size} | facts
        os.replace(work / "data", folder)  # noqa: PTH105
        index = {"digest": _digest(folder, hash_file), "facts": facts}
        draft = work / "index.json"
        draft.write_text(json.dumps(index, indent=1) + "\n", "utf-8")
        os.replace(draft, cache / f"{pin.label}.json")  # noqa: PTH105
        events.finished(task)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return index


def _require(pin: Pin, sha256: str) -> None:
    if pin.sha256 and pin.sha256 != sha256:
        raise Damaged(
            f"the wheel of {pin.label} has sha256 {sha256}, and {pin.sha256} was asked for",
            cure="do not use it before you know why; if the new one is right, pin that",
        )


def _digest(folder: Path, hash_file: Callable[[Path], str]) -> str:
    return digest(list(regular_files(folder, lambda name, reason: None)), hash_file)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
