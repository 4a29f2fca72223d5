"""A real terminal: a pseudo-terminal of a given size that a program is started on."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

OPENED, LEFT = "\x1b[?1049h", "\x1b[?1049l"  # xterm's other screen
HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"  # the cursor


class Terminal:
    """What a process writes to a terminal that is its stdin and stderr; its stdout is a pipe."""

    def __init__(self, words: list[str], cwd: Path, columns: int, rows: int, env: dict[str, str]) -> None:
        self.master, slave = os.openpty()
        self.resize(columns, rows)
        settings = termios.tcgetattr(slave)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            words,
            cwd=cwd,
            stdin=slave,
            stderr=slave,
            stdout=subprocess.PIPE,
            env={**inherited, "TERM": "xterm-256color", **env},
            start_new_session=True,
        )
        os.close(slave)
        self._written = bytearray()
        self._hung_up = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def raw(self) -> str:
        return self._written.decode("utf-8", "replace")

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, pattern: str) -> None:
        """Until the last frame has it."""
        ends = time.monotonic() + 240
        while not (self.frames and re.search(pattern, self.frames[-1])):
            assert self.process.poll() is None, self.left or plain(self.raw)
            assert time.monotonic() < ends, self.frames[-1:]
            time.sleep(0.02)

    def go_on(self, pattern: str) -> None:
        """Let a script that waits for a line have it, once the screen shows the pattern."""
        self.wait_for(pattern)
        os.write(self.master, b"\n")

    def hang_up(self) -> None:
        self._hung_up.set()
        self._reader.join()

    def finish(self) -> tuple[int, str]:
        """The exit status and what came on stdout."""
        out, _ = self.process.communicate(timeout=240)
        self._reader.join()
        return self.process.returncode, out.decode()

    @property
    def frames(self) -> list[str]:
        """What was drawn on the other screen, a text for each time."""
        drawn = self.raw.partition(OPENED)[2].partition(LEFT)[0]
        return [plain(frame) for frame in drawn.split("\x1b[H")[1:]]

    @property
    def left(self) -> str:
        """What stands on the screen proper after the other one has gone."""
        return plain(self.raw.rpartition(LEFT)[2])

    def _read(self) -> None:
        try:
            while not self._hung_up.is_set():
                if select.select([self.master], [], [], 0.05)[0]:
                    if not (some := os.read(self.master, 65536)):
                        break
                    self._written += some
        except OSError:  # nobody has it open any more
            pass
        os.close(self.master)


def plain(text: str) -> str:
    """Without what steers the terminal, and with the line ends of a text."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r\n", "\n")


@pytest.fixture
def terminal(tmp_path) -> Iterator[Callable[..., Terminal]]:
    """Starts a program on a terminal: ``terminal(words, columns=120, rows=36, env={})``. Words that are one text are a
    script in Python."""
    started: list[Terminal] = []

    def start(
        words: list[str] | str,
        cwd: Path | None = None,
        columns: int = 120,
        rows: int = 36,
        env: dict[str, str] | None = None,
    ) -> Terminal:
        if isinstance(words, str):
            words = [sys.executable, "-c", words]
        started.append(Terminal(words, cwd or tmp_path, columns, rows, env or {}))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            os.killpg(one.process.pid, signal.SIGKILL)  # and whatever it has forked, which would hold its stdout open
            one.process.communicate(timeout=60)
