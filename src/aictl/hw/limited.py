"""Questions that may never be answered: each asked in a process of its own, with a time limit.

A driver that hangs takes the process that calls it with it, and one that waits inside the kernel
cannot even be killed. So it is never our own, and is left behind when its time is up.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple

# Of several that were asked at once one is waited for after the other. One that answered in its time and
# comes to its turn later is still heard: what it said lies in the pipe.
TAKING_IN_S = 0.5

State = Literal["answered", "failed", "absent", "unanswered"]


class Reply(NamedTuple):
    """What came of a question: what was said on stdout until the end, and the reason if it failed."""

    state: State
    said: str = ""
    reason: str = ""


class Asked:
    """A question that was asked; several run side by side until each is waited for."""

    def __init__(self, words: Sequence[str], timeout_s: float, environment: Mapping[str, str] | None = None) -> None:
        self._until = time.monotonic() + timeout_s
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._refused = Reply("absent", reason=f"{words[0]} is not installed")
        try:
            self._process = subprocess.Popen(
                list(words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **(environment or {})},
                start_new_session=True,  # so that what it starts can be ended with it
            )
        except FileNotFoundError:
            pass
        except OSError as error:
            self._refused = Reply("failed", reason=f"{words[0]}: {error.strerror}")

    def reply(self) -> Reply:
        """Wait for the answer, at most until the time that was given to it is up."""
        process = self._process
        if process is None:
            return self._refused
        try:
            said, complained = process.communicate(timeout=max(TAKING_IN_S, self._until - time.monotonic()))
        except subprocess.TimeoutExpired as late:
            end(process)
            return Reply("unanswered", _text(late.output), f"no answer within {self._timeout_s:g} s")
        except BaseException:
            end(process)
            raise
        if process.returncode != 0:
            lines = _text(complained).strip().splitlines()
            return Reply("failed", _text(said), lines[-1] if lines else f"exit status {process.returncode}")
        return Reply("answered", _text(said))

    def end(self) -> None:
        """Nobody waits for the answer any more."""
        if self._process is not None and self._process.returncode is None:
            end(self._process)


def python(module: str, function: str, *arguments: Any, timeout_s: float) -> Asked:
    """Ask a function of our own, called in another Python, which writes its answer to stdout."""
    return Asked(program(module, function, *arguments), timeout_s)


def program(module: str, function: str, *arguments: Any) -> list[str]:
    """The words that start another Python on a function. ``-P``: a file in the working directory that
    happens to be called torch.py is not meant."""
    called = f"from {module} import {function}; {function}(*{arguments!r})"
    return [sys.executable, "-P", "-c", called]


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and what it started. It is not waited for: it may be beyond killing."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, 9)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with suppress(OSError):
                pipe.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=0.2)


def _text(said: bytes | None) -> str:
    return (said or b"").decode("utf-8", errors="replace")
