"""The files below a folder that was given as input: the same ones for whoever hashes and whoever reads.

Left out is what is no content of the user's: hidden files and folders (and with them .git, .hg and
.svn), CVS, ``__pycache__`` and ``*.dist-info``, the artifacts of a workspace, and whatever is no
regular file. Links are followed, but out of the folder only where whoever walks says so. A folder is
entered once, however many links lead to it, so that a loop of links ends. What cannot be read is told
and gone past: whoever walks decides what it means.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

READ_ALREADY = "a link to a folder that was read already"
LEADS_OUT = "a link that leads out of the folder"
CANNOT_BE_READ = "cannot be read: "  # and the system's reason

_DERIVED = frozenset({"CVS", "__pycache__"})


# Controls, line separators, and marks that reverse the direction of writing.
_MOVING = {
    code: chr(code).encode("unicode_escape").decode()
    for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


class Found(NamedTuple):
    """A regular file: its POSIX path relative to the folder, and where it lies."""

    relative: str
    path: Path


def shown(name: str) -> str:
    """A file's name as one line of text that can be printed and written as UTF-8, whatever its bytes
    are: what would move a terminal's cursor or turn its text around is written as an escape."""
    if name.isprintable():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").translate(_MOVING)


def regular_files(root: Path, skipped: Callable[[str, str], None], *, outside: bool = True) -> Iterator[Found]:
    """Every file below ``root``, folder by folder, each in order of name; folders that are reached
    through a link come last.

    ``skipped(relative, reason)`` is told what was left out for cause: a broken link, a loop, a
    socket, a folder that cannot be read (``root`` itself as ``""``), and, if what lies ``outside`` is not
    wanted, a link that leads there. All of it is lost to the reader but a folder that was ``READ_ALREADY``.
    """
    within = "" if outside else os.path.join(os.path.realpath(root), "")  # noqa: PTH118  (a slash at the end)
    entered: set[tuple[int, int]] = set()
    folders = [("", root)]
    links: list[tuple[str, Path]] = []
    while folders or links:
        relative, folder = folders.pop() if folders else links.pop(0)
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in entered:
                skipped(relative, READ_ALREADY)
                continue
            entered.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            skipped(relative, unreadable(error))
            continue
        deeper: list[tuple[str, Path]] = []
        for entry in entries:
            name = f"{relative}{entry.name}"
            if _left_out(entry, folder):
                continue
            kind = kind_of(entry)
            if kind in ("file", "folder") and within and entry.is_symlink() and not _lies_in(entry.path, within):
                skipped(name + "/" if kind == "folder" else name, LEADS_OUT)
            elif kind == "file":
                yield Found(name, Path(entry.path))
            elif kind == "folder":
                (links if entry.is_symlink() else deeper).append((name + "/", Path(entry.path)))
            else:
                skipped(name, kind)
        folders += reversed(deeper)


def kind_of(entry: os.DirEntry[str] | Path) -> str:
    """``file``, ``folder``, or the reason why it is neither."""
    try:
        if entry.is_file():
            return "file"
        if entry.is_dir():
            return "folder"
        mode = entry.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "a broken link"
    except OSError as error:
        return "a loop of links" if error.errno == errno.ELOOP else unreadable(error)
    for test, what in ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket")):
        if test(mode):
            return what
    return "a device"


def unreadable(error: OSError) -> str:
    """The reason why a file or folder cannot be read, as the system gives it."""
    return f"{CANNOT_BE_READ}{error.strerror or error}"


def is_derived(name: str) -> bool:
    """Whether a file or folder of this name is no content of the user's."""
    return name.startswith(".") or name in _DERIVED or name.endswith(".dist-info")


def _lies_in(path: str, folder: str) -> bool:
    """Whether a link leads to something in ``folder``, or to that itself."""
    return os.path.join(os.path.realpath(path), "").startswith(folder)  # noqa: PTH118


def _left_out(entry: os.DirEntry[str], folder: Path) -> bool:
    name = entry.name
    if is_derived(name):
        return True
    # os.path says False where nobody may look; pathlib raises.
    return name == "artifacts" and os.path.isfile(folder / "aictl.toml")  # noqa: PTH113
