"""What is said of a path that was given and cannot be read, and what to do about it."""

from __future__ import annotations

import errno
import os
import shlex
from pathlib import Path

from aictl.core.errors import BadInput, NotFound
from aictl.core.walk import CANNOT_BE_READ, LEADS_OUT, shown, unreadable


def refused(uri: str, path: Path, reason: str) -> BadInput | NotFound:
    """The error for ``path``, which was typed as ``uri``: for a reason that
    :mod:`aictl.core.walk` gave, or, without one, because nothing is seen there."""
    if not reason:
        return _not_seen(uri, path)
    said = reason if reason.startswith(CANNOT_BE_READ) else f"is {reason}"
    error = NotFound if reason == "a broken link" else BadInput
    return error(f"'{shown(uri)}' {said}", cure=_cure(path, reason))


def _not_seen(uri: str, path: Path) -> BadInput | NotFound:
    try:
        path.lstat()
    except ValueError as error:  # a NUL in the name
        return BadInput(f"'{shown(uri)}' is no path: {error}", cure="check the spelling")
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # a folder above it that may not be searched, a name too long
        return refused(uri, path, unreadable(error))
    here = f"check the spelling; relative paths start here: {Path.cwd()}"
    return NotFound(f"'{shown(uri)}' does not exist", cure=here)


def _cure(path: Path, reason: str) -> str:
    place = shown(shlex.quote(str(path)))
    if reason in ("a broken link", "a loop of links"):
        return f"`ls -l {place}` shows where it points; mend the link, or remove it"
    if reason == LEADS_OUT:
        return "give what it leads to as a source of its own, or copy it here"
    if reason in ("a pipe", "a socket", "a device"):
        return "write what it gives to a file, and give that"
    if os.strerror(errno.EACCES) in reason:
        return f"`chmod -R u+rX {place}`, or run as a user who may read it"
    if os.strerror(errno.ENAMETOOLONG) in reason:
        return "check the spelling"
    return "copy what can still be read, and give the copy"
