"""What this process holds in RAM, as Linux tells it; None elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_bytes() -> int | None:
    """The most that it has held. It is not getrusage's: that of a process begins with what its parent had."""
    return _stated("VmHWM")


def held_bytes() -> int | None:
    """What it holds now."""
    return _stated("VmRSS")


def _stated(name: str) -> int | None:
    try:
        text = _STATUS.read_text("utf-8")
    except OSError:
        return None
    found = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
