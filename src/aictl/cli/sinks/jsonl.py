"""JSON lines for programs: every event as it comes, with the time in seconds since the epoch."""

from __future__ import annotations

import json
import sys
import time

from aictl.core.events import Event


class JsonLinesSink:
    """One object a line: ``{"at": ..., "event": "Advanced", "task": ..., "done": ...}``."""

    def __call__(self, event: Event) -> None:
        row = {"at": round(time.time(), 3), "event": type(event).__name__, **event._asdict()}
        sys.stderr.write(json.dumps(row, ensure_ascii=False) + "\n")
        sys.stderr.flush()

    def close(self) -> None:
        sys.stderr.flush()
