"""Real servers for tests: started on free ports of the loopback, waited for, and stopped by their own pid."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOG_TAIL_CHARS = 2000


class NotStarted(Exception):
    """A server ended, or was not ready in time; the message has the end of its log."""


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on now."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def listens(port: int) -> bool:
    """Whether somebody takes connections on a port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Running:
    """A process in a folder of its own, with its log beside it."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(env) if env is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Raises :class:`NotStarted` if the process ends first or time runs out."""
        until = time.monotonic() + timeout_s
        while not ready():
            if self.process.poll() is not None:
                raise NotStarted(f"{self.name} ended with {self.process.returncode}: {self.tail()}")
            if time.monotonic() > until:
                self.stop()
                raise NotStarted(f"{self.name} was not ready after {timeout_s:.0f} s: {self.tail()}")
            time.sleep(0.1)

    def tail(self) -> str:
        return self.log.read_text("utf-8", errors="replace")[-LOG_TAIL_CHARS:]

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
