"""The journal: one file of JSON lines for each run that did work, with everything it told.

It is where a traceback goes that nobody wants on their screen.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from aictl.core import redaction
from aictl.core.events import Advanced, Event, Measured
from aictl.workspace import argv

KEPT_FILES = 500
_QUIET_S = 1.0  # progress is written at most this often


class Journal:
    """Writes one run's journal, beginning with the first thing there is to tell: a run that finds
    everything up to date leaves none. A disk that takes no journal never stops the run."""

    def __init__(self, folder: Path | None, command: str) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        self.path = folder / f"{stamp}-{os.getpid()}-{command}.jsonl" if folder else None
        self._command = command
        self._file: IO[str] | None = None
        self._last: dict[str, float] = {}

    def __enter__(self) -> Journal:
        return self

    def __call__(self, event: Event) -> None:
        if isinstance(event, Advanced | Measured):
            name = event.task if isinstance(event, Advanced) else event.name
            now = time.monotonic()
            if now - self._last.get(name, 0.0) < _QUIET_S:
                return
            self._last[name] = now
        self._write({"event": type(event).__name__, **event._asdict()})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            told = "".join(traceback.format_exception(kind, error, trace))
            self._write({"event": "Failed", "error": str(error), "traceback": told})
        elif self._file:
            self._write({"event": "Ended"})
        if self._file:
            with suppress(OSError):
                self._file.close()

    def _write(self, row: dict[str, object]) -> None:
        with suppress(OSError):
            if self._file is None and self.path:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
                for old in sorted(self.path.parent.glob("*.jsonl"))[:-KEPT_FILES]:
                    old.unlink(missing_ok=True)
                self._write(
                    {
                        "event": "Run",
                        "command": self._command,
                        "argv": argv.words(),
                        "pid": os.getpid(),
                    }
                )
            if self._file:
                row = redaction.in_values(row)  # a traceback quotes whatever a library said
                self._file.write(json.dumps({"at": round(time.time(), 3), **row}, ensure_ascii=False) + "\n")
