"""A file or a folder as a source."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from aictl.core.artifact import Source
from aictl.core.errors import BadInput, NotFound
from aictl.core.events import Events
from aictl.core.walk import Found, regular_files, shown

SHOWN = 3  # how many of the things left out are named on the screen; the journal has them all


def resolve(uri: str, path: Path, *, hash_file: Callable[[Path], str], events: Events) -> Source:
    """The file or folder at ``path``, made absolute, with the digest of its bytes.

    Raises :class:`NotFound` if there is nothing and :class:`BadInput` if it is neither a file nor a
    folder, holds no file, or cannot be read.
    """
    path = Path(os.path.expanduser(path)).absolute()  # noqa: PTH111  ("~" in a config file; "~x" may be a name)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        what = "is a broken link" if path.is_symlink() else "does not exist"
        raise NotFound(
            f"'{shown(uri)}' {what}", cure=f"check the spelling; relative paths start here: {Path.cwd()}"
        ) from None
    except (OSError, ValueError) as error:  # a link to itself, a name too long, a NUL in the name
        raise BadInput(f"'{shown(uri)}' cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISREG(mode):
        return Source(uri, path, digest([Found(path.name, path)], hash_file))
    if not stat.S_ISDIR(mode):
        raise BadInput(f"'{shown(uri)}' is neither a file nor a folder", cure="write it to a file first")
    files = _files(uri, path, events)
    # Where a folder stands does not count, nor what it is called; but by its name a package is imported.
    prefix = f"{path.name}/" if (path / "__init__.py").is_file() else ""
    facts = {"prefix": prefix} if prefix else {}
    return Source(uri, path, digest([Found(prefix + one.relative, one.path) for one in files], hash_file), facts)


def _files(uri: str, folder: Path, events: Events) -> list[Found]:
    left_out: list[str] = []
    files = list(regular_files(folder, lambda name, reason: left_out.append(f"{shown(name)} ({reason})")))
    if left_out:
        more = f" and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else ""
        events.noted(f"{shown(uri)}: left out {', '.join(left_out[:SHOWN])}{more}")
        for line in left_out[SHOWN:]:
            events.noted(f"{shown(uri)}: left out {line}", "detail")
    if not files:
        raise BadInput(
            f"'{shown(uri)}' holds no files", cure="hidden files are not taken; give the folder that holds the data"
        )
    return files


def digest(files: list[Found], hash_file: Callable[[Path], str]) -> str:
    """sha256 over the files' relative names and the sha256 of each, in order of name.

    The name of a single file counts too: its suffix says how it is read.
    """
    total = hashlib.sha256()
    for relative, path in sorted(files):
        total.update(b"%s\0%s\n" % (os.fsencode(relative), hash_file(path).encode()))
    return total.hexdigest()
