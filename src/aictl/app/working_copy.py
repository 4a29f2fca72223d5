"""The copy of an app that people edit: new versions come in, edits are never lost.

A file counts as edited when it differs from everything that a scaffold ever put at its place.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aictl.artifacts.app import LEDGER_NAME, Ledger, digest
from aictl.core.errors import BadRequest
from aictl.core.events import Events


def require_free(folder: Path, workspace: Path) -> None:
    """Raise :class:`BadRequest` unless a working copy may be made or updated at ``folder``."""
    if not folder.resolve().is_relative_to(workspace.resolve()):
        raise BadRequest(f"{folder} leads out of the workspace", cure="give the app another name")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BadRequest(f"{folder} is a file", cure="give the app another name, or move the file away")
    if any(folder.iterdir()) and not (folder / LEDGER_NAME).is_file():
        raise BadRequest(
            f"{folder} holds something that no scaffold put there",
            cure="give the app another name, or move the folder away",
        )


def update(copy: Path, pristine: Path, files: Mapping[str, str], events: Events) -> None:
    """Bring a working copy to the files (path and sha256) of ``pristine``.

    A file that was edited stays as it is, and the new one is written beside it as ``FILE.new``; one
    that was removed stays away. Both are told. Files that are no longer part of the app and were
    not edited are removed.

    Raises :class:`BadRequest`, with nothing written, if a folder in the copy is a link that leads out.
    """
    copy.mkdir(parents=True, exist_ok=True)
    for path in files:
        if not _inside(copy, path):
            raise BadRequest(
                f"{(copy / path).parent} leads out of the app's folder", cure="put a folder there, or move the app away"
            )
    with _alone(copy):
        ledger = Ledger.read(copy)
        before = {path: set(given) for path, given in ledger.given.items()}
        last = dict(ledger.current)
        # Remembered first: killed after this, a file that was written never looks like an edit.
        ledger.remember(files)
        _write(copy / LEDGER_NAME, ledger.to_json().encode())
        for path, sha256 in files.items():
            here = digest(copy / path)
            if here == sha256:
                continue
            if here is None and path in last:
                events.noted(f"{path} was removed, and stays so")
            elif here is None or here in before.get(path, ()):
                _copy(pristine / path, copy / path)
            else:
                beside = _beside(copy, path, before)
                events.noted(f"{path} was edited and is kept; the new one is {beside}", "warning")
                ledger.remember({beside: sha256})
                _write(copy / LEDGER_NAME, ledger.to_json().encode())
                _copy(pristine / path, copy / beside)
        for path in last.keys() - files.keys():
            if digest(copy / path) in before.get(path, ()) and _inside(copy, path):
                (copy / path).unlink()
        ledger.current = dict(files)
        _write(copy / LEDGER_NAME, ledger.to_json().encode())


def _beside(copy: Path, path: str, given: Mapping[str, set[str]]) -> str:
    """A name beside a file that is free, or holds what a scaffold wrote."""
    beside, number = f"{path}.new", 1
    while (here := digest(copy / beside)) is not None and here not in given.get(beside, ()):
        number += 1
        beside = f"{path}.new{number}"
    return beside


def _inside(copy: Path, path: str) -> bool:
    """Whether a file's folder is where it seems to be, and not behind a link that leads elsewhere."""
    return (copy / path).parent.resolve().is_relative_to(copy.resolve())


def _copy(source: Path, target: Path) -> None:
    _write(target, source.read_bytes(), source)


def _write(target: Path, content: bytes, like: Path | None = None) -> None:
    """Whole or not at all; a link at the place is replaced, not followed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(content)
        if like:
            shutil.copymode(like, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep two scaffolds out of one folder at a time."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
