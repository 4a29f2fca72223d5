"""Plain lines for logs and pipes: one when a task begins, a few while it runs, one when it ends."""

from __future__ import annotations

import sys
import time

from aictl.core.events import Advanced, Event, Finished, Measured, Noted, Started

EVERY_S = 10.0  # a running task says where it is this often


def number(value: float) -> str:
    """A quantity at the precision a person reads: ``1,234``, ``12.3``, ``0.00123``."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"


class PlainSink:
    """Writes to stderr, never more than a line every ten seconds for one task."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._tasks: dict[str, Started] = {}
        self._measured: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        match event:
            case Started(task, total, unit):
                self._began[task] = self._told[task] = now
                self._tasks[task] = event
                self._line(f"{task} ..." if total is None else f"{task}: {number(total)} {unit}".rstrip())
            case Advanced(task, done):
                if now - self._told.get(task, 0.0) >= EVERY_S:
                    self._told[task] = now
                    self._line(f"{task}: {self._progress(task, done)}{self._values()}")
            case Measured(name, value, _):
                self._measured[name] = value
            case Noted(message, level) if level != "detail":
                self._line(f"warning: {message}" if level == "warning" else message)
            case Finished(task):
                seconds = now - self._began.get(task, now)
                self._line(f"{task}: done in {seconds:.1f} s{self._values()}")
                self._measured.clear()

    def close(self) -> None:
        sys.stderr.flush()

    def _progress(self, task: str, done: float) -> str:
        started = self._tasks.get(task)
        if started is None or not started.total:
            return f"{number(done)} {started.unit if started else ''}".rstrip()
        return f"{number(done)} of {number(started.total)} {started.unit}".rstrip()

    def _values(self) -> str:
        shown = ", ".join(f"{name} {number(value)}" for name, value in self._measured.items())
        return f" ({shown})" if shown else ""

    def _line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201


class Nothing:
    """Shows nothing at all."""

    def __call__(self, event: Event) -> None:
        return None

    def close(self) -> None:
        return None
