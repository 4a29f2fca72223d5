"""File locks: one maker per key, and no removing of what somebody is using.

``flock`` locks go with the process that holds them, however it ends, so nothing is ever left
locked. The file says who holds it, for the message of whoever waits.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aictl.core.errors import TryLater
from aictl.workspace import argv


@contextmanager
def exclusive(path: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold a lock alone; ``waiting`` is told once who holds it if it is not free."""
    descriptor = _open(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting(holder(path))
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} ({_command_line()})".encode(errors="backslashreplace"), 0)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold a lock together with others who use the same thing. Where this user may not write, nobody
    who may is held off: a workspace on a read-only volume can be served from."""
    try:
        descriptor = _open(path)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES):
            raise
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def if_free(path: Path) -> Iterator[bool]:
    """Hold a lock alone if nobody else has it; says whether it is held."""
    descriptor = _open(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        except BlockingIOError:
            held = False
        yield held
    finally:
        os.close(descriptor)


@contextmanager
def unused(path: Path, what: str) -> Iterator[None]:
    """Hold a lock alone or raise :class:`TryLater`, saying that ``what`` is in use."""
    with if_free(path) as held:
        if not held:
            raise TryLater(f"{what} is in use by a running command", cure="wait until it has ended, and try again")
        yield


def holder(path: Path) -> str:
    """Who wrote themselves into a lock, in words."""
    try:
        return path.read_text("utf-8", errors="replace") or "another process"
    except OSError:
        return "another process"


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _command_line() -> str:
    return " ".join(["aictl", *argv.words()])[:200]
