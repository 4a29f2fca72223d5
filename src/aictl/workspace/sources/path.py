"""A file or a folder as a source."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from aictl.core.artifact import Source
from aictl.core.errors import AictlError, BadInput
from aictl.core.events import Events
from aictl.core.walk import CANNOT_BE_READ, LEADS_OUT, READ_ALREADY, Found, kind_of, regular_files, shown, unreadable

SHOWN = 3  # how many of the things left out are named on the screen; the journal has them all

SetAside = Literal["nothing", "inside", "all"]


def resolve(
    uri: str,
    path: Path,
    *,
    hash_file: Callable[[Path], str],
    events: Events,
    set_aside: SetAside = "nothing",
    outside: bool | None = None,
) -> Source:
    """The file or folder at ``path``, made absolute, with the digest of its bytes.

    What cannot be read is an error, unless whoever reads the source will set it aside: what lies
    ``inside`` of a folder, or the source itself too (``all``). It then counts into the digest by
    its name and the reason.

    Links that lead out of a folder are followed where nothing is set aside, and set aside otherwise,
    unless ``outside`` says which: a folder of data may be a stranger's, and its links are not to bring
    in what lies elsewhere on this machine.

    Raises :class:`NotFound` if there is nothing and :class:`BadInput` if it is neither a file nor a
    folder, holds no file, or cannot be read.
    """
    path = Path(os.path.expanduser(path)).absolute()  # noqa: PTH111  ("~" in a config file; "~x" may be a name)
    if not os.path.lexists(path):
        raise _refused(uri, path, "")
    kind = kind_of(path)
    if kind == "folder":
        outside = set_aside == "nothing" if outside is None else outside
        return _folder(uri, path, hash_file, events, set_aside, outside=outside)
    if kind == "file":
        lines, lost = _hashed([Found(path.name, path)], hash_file)
        if not lost:
            return Source(uri, path, _total(lines))
        kind = lost[path.name]
    if set_aside != "all":
        raise _refused(uri, path, kind)
    return Source(uri, path, _total([_lost_line(path.name, kind)]))


def _folder(
    uri: str, path: Path, hash_file: Callable[[Path], str], events: Events, set_aside: SetAside, *, outside: bool
) -> Source:
    lost: dict[str, str] = {}
    files = list(regular_files(path, lost.__setitem__, outside=outside))
    if set_aside != "all" and "" in lost:
        raise _refused(uri, path, lost[""])
    again = {name: lost.pop(name) for name, reason in list(lost.items()) if reason == READ_ALREADY}
    # Where a folder stands does not count, nor what it is called; but by its name a package is imported.
    prefix = f"{path.name}/" if os.path.isfile(path / "__init__.py") else ""  # noqa: PTH113  (nobody may look)
    lines, unread = _hashed(files, hash_file, prefix)
    lost |= unread
    refused = [_refused(f"{uri.rstrip('/')}/{name}", path / name, reason) for name, reason in lost.items()]
    if set_aside == "nothing":
        if worst := next((one for one in refused if CANNOT_BE_READ in one.message), None):
            raise worst
        _tell(uri, lost, events)
    for name, reason in again.items():  # nothing is lost
        events.noted(f"{shown(uri)}: left out {shown(name)} ({reason})", "detail")
    if not lines and not (lost and set_aside == "all"):
        if refused:
            said = f"'{shown(uri)}' holds no file that can be read: {refused[0]}{_more(len(lost) - 1)}"
            raise BadInput(said, cure=refused[0].cure)
        raise BadInput(
            f"'{shown(uri)}' holds no files", cure="hidden files are not taken; give the folder that holds the data"
        )
    lines += [_lost_line(prefix + name, reason) for name, reason in lost.items()]
    facts = {"prefix": prefix} if prefix else {}
    if LEADS_OUT in lost.values():
        facts["links"] = "inside"  # those that were followed: whoever takes the digest again has to know
    return Source(uri, path, _total(lines), facts)


def _refused(uri: str, path: Path, reason: str) -> AictlError:
    from aictl.workspace.sources.refusal import refused

    return refused(uri, path, reason)


def _tell(uri: str, left_out: dict[str, str], events: Events) -> None:
    lines = [f"{shown(name)} ({reason})" for name, reason in left_out.items()]
    if lines:
        events.noted(f"{shown(uri)}: left out {', '.join(lines[:SHOWN])}{_more(len(lines) - SHOWN)}")
    for line in lines[SHOWN:]:
        events.noted(f"{shown(uri)}: left out {line}", "detail")


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def digest(files: list[Found], hash_file: Callable[[Path], str]) -> str:
    """sha256 over the files' relative names and the sha256 of each, in order of name.

    The name of a single file counts too: its suffix says how it is read.
    """
    return _total([_line(relative, hash_file(path)) for relative, path in files])


def _hashed(
    files: list[Found], hash_file: Callable[[Path], str], prefix: str = ""
) -> tuple[list[tuple[str, bytes]], dict[str, str]]:
    """The line of every file that can be read, and why the others cannot."""
    lines, lost = [], {}
    for relative, path in files:
        try:
            lines.append(_line(prefix + relative, hash_file(path)))
        except BadInput as error:
            if not isinstance(error.__cause__, OSError):
                raise
            lost[relative] = unreadable(error.__cause__)
    return lines, lost


def _line(relative: str, sha256: str) -> tuple[str, bytes]:
    return relative, b"%s\0%s\n" % (os.fsencode(relative), sha256.encode())


def _lost_line(relative: str, reason: str) -> tuple[str, bytes]:
    return relative, b"%s\0(%s)\n" % (os.fsencode(relative), reason.encode())


def _total(lines: list[tuple[str, bytes]]) -> str:
    total = hashlib.sha256()
    for _, line in sorted(lines):
        total.update(line)
    return total.hexdigest()
