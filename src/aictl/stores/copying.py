"""Objects to local files, many at once, going on from what is there.

A large object comes in parts, each written where it belongs in ``NAME.part``; ``NAME.parts`` says which
are there, and of which version of the object. A run that was killed leaves both.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from aictl.core.errors import MachineLacks
from aictl.stores.backend import PART_BYTES, Backend, Entry
from aictl.stores.crew import Crew, closing_after


class Copy(NamedTuple):
    """One object, and the file that it becomes."""

    place: Backend
    entry: Entry
    target: Path


def copy_all(copies: Iterable[Copy], crew: Crew) -> None:
    """Fetch every object into its file, whole or not there. Raises :class:`MachineLacks` if the disk is full,
    and what the store raises; what has come by then is gone on from."""
    small: list[Copy] = []
    large: list[Copy] = []
    for one in copies:
        (small if one.entry.size_bytes <= PART_BYTES else large).append(one)
    try:
        crew.run(partial(_at_once, one, crew) for one in small)
        for one in large:
            _in_parts(one, crew)
    except OSError as error:
        raise _disk(error) from error


def _at_once(copy: Copy, crew: Crew) -> None:
    with copy.place.reader(copy.entry) as reader:
        data = reader.read(0, copy.entry.size_bytes)
    draft = copy.target.with_name(copy.target.name + ".part")
    draft.write_bytes(data)
    draft.replace(copy.target)
    crew.moved(len(data))


def _in_parts(copy: Copy, crew: Crew) -> None:
    size_bytes = copy.entry.size_bytes
    draft = copy.target.with_name(copy.target.name + ".part")
    log = copy.target.with_name(copy.target.name + ".parts")
    there = _arrived(draft, log, copy.entry)
    starts = [start for start in range(0, size_bytes, PART_BYTES) if start not in there]
    crew.moved(size_bytes - sum(min(PART_BYTES, size_bytes - start) for start in starts))
    file, lines = os.open(draft, os.O_WRONLY | os.O_CREAT, 0o644), os.open(log, os.O_WRONLY | os.O_APPEND)

    def fetch(start: int) -> None:
        with copy.place.reader(copy.entry) as reader:
            data = reader.read(start, min(start + PART_BYTES, size_bytes))
        if os.pwrite(file, data, start) != len(data):
            raise OSError(f"{draft}: a part was not written whole")
        os.write(lines, b"%d\n" % start)
        crew.moved(len(data))

    with closing_after(file, lines):
        crew.run(partial(fetch, start) for start in starts)
    draft.replace(copy.target)
    log.unlink()


def _arrived(draft: Path, log: Path, entry: Entry) -> set[int]:
    """The starts of the parts that are there already; of another version of the object there are none."""
    # What the machine had not written when it lost power is not there, whatever the list says.
    head = f"{PART_BYTES} {entry.size_bytes} {_boot()} {entry.mark}\n"
    try:
        first, *lines = log.read_text("utf-8").splitlines(keepends=True)
        if first == head and draft.exists():
            return {int(line) for line in lines if line.endswith("\n")}
    except (OSError, ValueError):
        pass
    draft.unlink(missing_ok=True)
    log.write_text(head, "utf-8")
    return set()


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return "-"


def require_room(folder: Path, needed_bytes: int) -> None:
    """Raises :class:`MachineLacks` unless the disk of a folder has room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if needed_bytes > free:
        raise MachineLacks(
            f"{needed_bytes / 1e6:,.0f} MB are to be fetched, and {free / 1e6:,.0f} MB are free where {folder} is",
            cure="make room; `aictl artifact prune` removes what nothing needs",
        )


def _disk(error: OSError) -> MachineLacks | OSError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MachineLacks("the disk is full", cure="make room, and run it again: it goes on from what has come")
    return error
