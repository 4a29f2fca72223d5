"""Memory, and the disk under the working directory."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from aictl.hw.files import read, read_int

# A control group without a limit says "max", or in version 1 a number near 2^63.
_NO_LIMIT = 2**60


def probe(root: Path = Path("/")) -> dict[str, int | None]:
    """Total, available and swap in bytes, and the control group's limit if it sets one."""
    text = read(root / "proc/meminfo") or ""
    sizes = {name: int(kib) * 1024 for name, kib in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}
    total = sizes.get("MemTotal")
    if total is None and root == Path("/") and "SC_PHYS_PAGES" in os.sysconf_names:  # a kernel without /proc
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = read_int(root / "sys/fs/cgroup/memory.max")
    if limit is None:
        limit = read_int(root / "sys/fs/cgroup/memory/memory.limit_in_bytes")
    return {
        "total_bytes": total,
        "available_bytes": sizes.get("MemAvailable"),
        "swap_bytes": sizes.get("SwapTotal"),
        "limit_bytes": limit if limit is not None and limit < _NO_LIMIT else None,
    }


def probe_disk(folder: Path, root: Path = Path("/")) -> dict[str, Any]:
    """Size and free space in bytes of the file system that holds ``folder``, and its type."""
    usage = shutil.disk_usage(folder)
    return {
        "path": str(folder),
        "filesystem": _filesystem(folder, root),
        "total_bytes": usage.total,
        "free_bytes": usage.free,
    }


def _filesystem(folder: Path, root: Path) -> str | None:
    """The type of the deepest mount above ``folder``."""
    best, found = -1, None
    for line in (read(root / "proc/mounts") or "").splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        # Spaces in a mount point are written in octal (man 5 fstab).
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1]))
        if folder.is_relative_to(point) and len(point.parts) >= best:
            best, found = len(point.parts), fields[2]
    return found
