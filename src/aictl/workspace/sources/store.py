"""A URL as a source: what lies in a store, listed and left where it is, or copied first.

    CACHE/listings/DIGEST.jsonl     the list of objects that a command reads, one a line
    CACHE/objects/DIGEST/           the objects themselves, for a command that wants files
    CACHE/objects/DIGEST.lock       held while copying

The digest is over the objects' names, sizes and marks; what is copied is known by it, so that the same
objects are copied once.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from aictl.core.artifact import Source
from aictl.core.errors import BadInput, MachineLacks
from aictl.core.events import Events
from aictl.core.walk import shown
from aictl.workspace.locks import exclusive
from aictl.workspace.sources.package import NAME_ONE

if TYPE_CHECKING:
    from aictl.stores.copying import Copy
    from aictl.stores.objects import Listing

SHOWN = 3  # how many of the objects left out are named on the screen; the journal has them all
_KEPT_S = 30 * 24 * 3600


def resolve(text: str, *, cache: Path, streams: bool, events: Events, before_fetch: Callable[[], None]) -> Source:
    """The objects that a URL stands for now.

    With ``streams`` the source is a list of them (``facts["listing"]``), which
    :func:`aictl.stores.objects.objects_of` reads; without, they are copied, and it is a file or a folder. The
    store is asked after ``before_fetch``. Raises :class:`NotFound` if there are none, what the store
    raises, and :class:`MachineLacks` if the cache cannot be written.
    """
    from aictl.stores.address import parse
    from aictl.stores.objects import list_objects

    before_fetch()
    address = parse(text)
    task = f"list {address.shown}"
    events.started(task)
    listing = list_objects(address)
    events.finished(task)
    _tell(address.shown, listing, events)
    size_bytes = sum(one.size_bytes for one in listing.objects)
    facts = {"store": address.shown, "objects": len(listing.objects), "size_bytes": size_bytes}
    with _written(cache):
        if streams:
            path = _list(listing, address.shown, cache / "listings")
            facts |= {"listing": True, "single": listing.single}
        else:
            path = _copied(listing, cache / "objects", address.shown, events)
    private = {address.shown: address.url} if address.kind == "web" else {}
    return Source(address.shown, path, listing.digest, facts, private)


def _list(listing: Listing, where: str, folder: Path) -> Path:
    """The file with the list. The same objects in another place make another list of the same digest."""
    from aictl.stores.objects import written

    name = hashlib.sha256(f"{where}\n{listing.digest}".encode("utf-8", "surrogateescape")).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jsonl"):
        if time.time() - old.stat().st_mtime > _KEPT_S:
            old.unlink(missing_ok=True)
    path = folder / f"{name}.jsonl"
    draft = folder / f".{name}.{os.getpid()}"
    draft.write_bytes(written(listing.objects))
    draft.chmod(0o600)  # what somebody's objects are called is nobody else's business
    draft.replace(path)
    return path


def _copied(listing: Listing, folder: Path, where: str, events: Events) -> Path:
    """The folder, or the one file, with copies of the objects."""
    from aictl.stores.copying import Copy, copy_all, require_room
    from aictl.stores.crew import Crew
    from aictl.stores.objects import located

    target = folder / listing.digest
    with exclusive(
        folder / f"{listing.digest}.lock", lambda who: events.noted(f"waiting for {who}, which is copying {where}")
    ):
        if not target.is_dir():
            place = folder / f"{listing.digest}.new"
            place.mkdir(parents=True, exist_ok=True)
            task = f"copy {where}"
            total = sum(one.size_bytes for one in listing.objects)
            crew = Crew(lambda moved: events.advanced(task, moved))
            copies = [Copy(*located(one), place / one.name) for one in listing.objects]
            _make_folders(copies, place, where)
            there = [one for one in copies if one.target.exists()]
            require_room(place, total - sum(one.entry.size_bytes for one in there))
            events.started(task, float(total), "bytes")
            copy_all([one for one in copies if one not in there], crew)
            place.rename(target)
            events.finished(task)
    return target / listing.objects[0].name if listing.single else target


def _make_folders(copies: list[Copy], place: Path, where: str) -> None:
    """Make the folders that the copies lie in. Raises :class:`BadInput` for names that no disk, or not this
    one, can hold side by side."""
    names = [one.target.relative_to(place).as_posix() for one in copies]
    above = {folder.as_posix() for name in names for folder in PurePosixPath(name).parents}
    if clash := sorted(above & set(names)):
        raise _cannot_lie_here(where, f"'{shown(clash[0])}' is an object, and so is something below it")
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(name.casefold(), name)
        if other != name and _folds_letters(place):
            raise _cannot_lie_here(where, f"this disk holds '{shown(other)}' and '{shown(name)}' for one file")
    try:
        for folder in sorted({one.target.parent for one in copies}):
            folder.mkdir(parents=True, exist_ok=True)
        for one in copies:
            if len(os.fsencode(one.target.name)) > os.pathconf(one.target.parent, "PC_NAME_MAX") - len(".parts"):
                raise _cannot_lie_here(where, f"'{shown(one.target.name[:60])}…' is too long a name for this disk")
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise _cannot_lie_here(where, "a path is too long for this disk") from error
        raise


def _cannot_lie_here(where: str, why: str) -> BadInput:
    return BadInput(f"'{shown(where)}' cannot be copied here: {why}", cure="give the objects that you need one by one")


def _folds_letters(folder: Path) -> bool:
    """Whether the disk of a folder holds names that differ in capital letters alone for one."""
    with tempfile.NamedTemporaryFile(prefix="aictl-x", dir=folder) as file:
        return Path(folder, Path(file.name).name.upper()).exists()


@contextmanager
def _written(cache: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = "is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else f"cannot be written: {error.strerror}"
        raise MachineLacks(f"the folder for downloads, {cache}, {what}", cure=NAME_ONE) from error


def _tell(where: str, listing: Listing, events: Events) -> None:
    lines = [f"{shown(name)} ({reason})" for name, reason in listing.left_out.items()]
    if lines:
        more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
        events.noted(f"{where}: left out {', '.join(lines[:SHOWN])}{more}", "warning")
    for line in lines[SHOWN:]:
        events.noted(f"{where}: left out {line}", "detail")
