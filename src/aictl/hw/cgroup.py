"""What this process's control group allows it: memory, processor time, processors, processes.

The limit that holds is the least one on the way from the group up to the root. In a container the
group is the root of what it sees (https://docs.kernel.org/admin-guide/cgroup-v2.html).
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from aictl.hw.files import parse_list, read, read_int, there

# A group without a limit says "max", or in version 1 a number near 2^63.
_NO_LIMIT = 2**60


def probe(root: Path = Path("/")) -> dict[str, Any]:
    """``version`` (2, 1 or None), and each limit or None where nothing is limited."""
    return {
        "version": _version(root),
        "memory_limit_bytes": memory_limit(root),
        "memory_high_bytes": _least(root, "memory", "memory.high", None),
        "memory_used_bytes": _own(root, "memory", "memory.current", "memory.usage_in_bytes"),
        "swap_limit_bytes": _least(root, "memory", "memory.swap.max", None),
        "quota_cpus": quota_cpus(root),
        "cpus": len(parse_list(_own_text(root, "cpuset", "cpuset.cpus.effective", "cpuset.effective_cpus"))) or None,
        "processes_limit": _least(root, "pids", "pids.max", "pids.max"),
    }


def memory_limit(root: Path = Path("/")) -> int | None:
    """The bytes of memory that the group may use, or None."""
    return _least(root, "memory", "memory.max", "memory.limit_in_bytes")


def quota_cpus(root: Path = Path("/")) -> float | None:
    """The processors' worth of time that the group may use, or None."""
    found = []
    for folder in _folders(root, None):
        quota, _, period = (read(folder / "cpu.max") or "").partition(" ")
        found.append((quota, period))
    for folder in _folders(root, "cpu"):
        found.append((read(folder / "cpu.cfs_quota_us") or "", read(folder / "cpu.cfs_period_us") or ""))
    shares = [
        int(quota) / int(period) for quota, period in found if quota.isdigit() and period.isdigit() and int(period)
    ]
    return min(shares, default=None)


def _version(root: Path) -> int | None:
    if there(root / "sys/fs/cgroup/cgroup.controllers"):
        return 2
    version_1 = there(root / "sys/fs/cgroup/memory") or there(root / "sys/fs/cgroup/cpu")
    if version_1:
        return 1
    return 2 if any(there(root / "sys/fs/cgroup" / name) for name in ("memory.max", "cpu.max")) else None


def _folders(root: Path, controller: str | None) -> list[Path]:
    """The group's folder and those above it; ``controller`` of version 1, or None for version 2.

    A path of /proc/self/cgroup that is not there means a container which sees its own group as the
    root.
    """
    path = PurePosixPath("/")
    for line in (read(root / "proc/self/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        names, _, where = rest.partition(":")
        if (controller is None and not names) or (controller and controller in names.split(",")):
            path = PurePosixPath(where)
    top = root / "sys/fs/cgroup" / (controller or "")
    folder = top.joinpath(*path.parts[1:])
    found = [folder]
    while found[-1] != top and top in found[-1].parents:
        found.append(found[-1].parent)
    return [one for one in found if there(one)]


def _least(root: Path, controller: str, version_2: str, version_1: str | None) -> int | None:
    found = [read_int(folder / version_2) for folder in _folders(root, None)]
    if version_1:
        found += [read_int(folder / version_1) for folder in _folders(root, controller)]
    return min((limit for limit in found if limit is not None and limit < _NO_LIMIT), default=None)


def _own_text(root: Path, controller: str, version_2: str, version_1: str) -> str | None:
    for folders, name in ((_folders(root, None), version_2), (_folders(root, controller), version_1)):
        if folders and (text := read(folders[0] / name)):
            return text
    return None


def _own(root: Path, controller: str, version_2: str, version_1: str) -> int | None:
    text = _own_text(root, controller, version_2, version_1)
    return int(text) if text and text.isdigit() else None
