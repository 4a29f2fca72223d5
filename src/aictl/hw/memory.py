"""Memory: how much there is, how much of it this process may use, and how it is handed out."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from aictl.hw.cgroup import memory_limit
from aictl.hw.files import chosen, read


def probe(root: Path = Path("/")) -> dict[str, Any]:
    """Total, available and swap in bytes, the control group's limit if it sets one, and pages."""
    text = read(root / "proc/meminfo") or ""
    sizes = {name: int(kib) * 1024 for name, kib in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}
    counts = {name: int(count) for name, count in re.findall(r"^(\w+):\s+(\d+)$", text, re.MULTILINE)}
    total = sizes.get("MemTotal")
    if total is None and root == Path("/") and "SC_PHYS_PAGES" in os.sysconf_names:  # a kernel without /proc
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "total_bytes": total,
        "available_bytes": sizes.get("MemAvailable"),
        "limit_bytes": memory_limit(root),
        "swap_bytes": sizes.get("SwapTotal"),
        "swap_free_bytes": sizes.get("SwapFree"),
        "transparent_huge_pages": chosen(read(root / "sys/kernel/mm/transparent_hugepage/enabled")),
        "huge_pages": counts.get("HugePages_Total") or None,
    }


def usable_bytes() -> float | None:
    """Bytes that this process may still take: what is available, and no more than its control group's limit; None
    where nobody says."""
    found = probe()
    return min((one for one in (found["available_bytes"], found["limit_bytes"]) if one), default=None)
