"""What this process is allowed: open files, locked memory, processes, shared memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aictl.hw import cgroup
from aictl.hw.files import read_int

# man 2 getrlimit. -1 in a report is "unlimited".
_LIMITS = {
    "open_files": "RLIMIT_NOFILE",
    "locked_bytes": "RLIMIT_MEMLOCK",
    "processes": "RLIMIT_NPROC",
    "stack_bytes": "RLIMIT_STACK",
    "core_bytes": "RLIMIT_CORE",
}
UNLIMITED = -1


def probe(root: Path = Path("/")) -> dict[str, Any]:
    """``{"ulimits": {name: {"soft", "hard"}}, "cgroup": {...}, "open_files_of_system"}``."""
    return {
        "ulimits": _ulimits() if root == Path("/") else {},
        "cgroup": cgroup.probe(root),
        "open_files_of_system": read_int(root / "proc/sys/fs/nr_open"),
    }


def _ulimits() -> dict[str, Any]:
    try:
        import resource
    except ImportError:  # no Unix
        return {}
    found = {}
    for name, constant in _LIMITS.items():
        soft, hard = resource.getrlimit(getattr(resource, constant))
        found[name] = {
            "soft": UNLIMITED if soft == resource.RLIM_INFINITY else soft,
            "hard": UNLIMITED if hard == resource.RLIM_INFINITY else hard,
        }
    return found
