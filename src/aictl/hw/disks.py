"""Disks and what is mounted: type, size, free space, and whether flash or a turning disk lies below."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aictl.hw.files import children, read, read_int, target, there
from aictl.hw.limited import Asked, Reply, python

# What a kernel shows as file systems and no one keeps a file in.
_PSEUDO = frozenset(
    {
        *("autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs"),
        *("efivarfs", "fuse.lxcfs", "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs"),
        *("securityfs", "selinuxfs", "sysfs", "tracefs"),
    }
)
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_REMOTE = re.compile(r"nfs|cifs|smb|lustre|ceph|gpfs|beegfs|glusterfs|9p|afs|fuse|weka|virtiofs|wekafs|panfs")


def probe(root: Path, place: Path, space: Reply | None) -> dict[str, Any]:
    """``here`` (the file system that holds ``place``), ``devices``, and ``mounts``.

    ``space`` is the answer of :func:`ask_space`. A mount that did not answer has the ``state``
    ``unanswered``: usually a server that is gone.
    """
    sizes = _sizes(space)
    mounts = [_measured(mount, sizes, space) for mount in mounted(root)]
    holding = _holding(mounts, place)
    here = {
        "path": str(place),
        "filesystem": holding["filesystem"] if holding else None,
        "kind": holding["kind"] if holding else None,
        "total_bytes": None,
        "free_bytes": None,
        **sizes.get(str(place), {}),
    }
    return {"here": here, "devices": _devices(root), "mounts": mounts}


def ask_space(points: Sequence[str], timeout_s: float) -> Asked:
    """Begin to ask how much space there is at each path."""
    return python("aictl.hw.disks", "tell_space", list(points), timeout_s=timeout_s)


def tell_space(points: Sequence[str]) -> None:
    """Run beside us: a line of JSON for each path, by threads, so that a dead server keeps no other
    from answering."""
    writing = threading.Lock()

    def look(point: str) -> None:
        try:
            found = os.statvfs(point)
            row: dict[str, Any] = {
                "total_bytes": found.f_blocks * found.f_frsize,
                "free_bytes": found.f_bavail * found.f_frsize,
            }
        except OSError as error:
            row = {"unknown": error.strerror}
        with writing:
            sys.stdout.write(json.dumps({"point": point, **row}) + "\n")
            sys.stdout.flush()

    threads = [threading.Thread(target=look, args=(point,), daemon=True) for point in points]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def mounted(root: Path) -> list[dict[str, Any]]:
    """What is mounted, without file systems that hold no files; of two on one point the later one."""
    found: dict[str, dict[str, Any]] = {}
    for line in (read(root / "proc/self/mountinfo") or "").splitlines():
        left, dash, right = line.partition(" - ")
        before, after = left.split(), right.split()
        if not dash or len(before) < 6 or len(after) < 2 or after[0] in _PSEUDO:
            continue
        point = _unescaped(before[4])
        found[point] = {
            "mount": point,
            "filesystem": after[0],
            "source": _unescaped(after[1]),
            "read_only": "ro" in before[5].split(","),
            "kind": _kind(root, after[0], before[2]),
        }
    return list(found.values())


def _unescaped(name: str) -> str:
    """Spaces in a mount point are written in octal (man 5 fstab)."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), name)


def _kind(root: Path, filesystem: str, number: str) -> str | None:
    """What lies below: ``NVMe``, ``SSD``, ``rotational``, ``virtual``, ``memory``, ``remote``."""
    if filesystem in _IN_MEMORY:
        return "memory"
    if _REMOTE.match(filesystem):
        return "remote"
    device = root / "sys/dev/block" / number
    if not there(device):
        return None
    folder = device.resolve()
    return device_kind(folder.parent if there(folder / "partition") else folder)


def device_kind(folder: Path) -> str | None:
    """The kind of a block device, of those below it where it stands on others (LVM, RAID, dm-crypt)."""
    below = {device_kind(one.resolve()) for one in children(folder / "slaves")}
    if below:
        return below.pop() if len(below) == 1 else "several kinds"
    if folder.name.startswith("nvme"):
        return "NVMe"
    if folder.name.startswith(("vd", "xvd")):
        return "virtual"
    rotates = read_int(folder / "queue/rotational")
    return None if rotates is None else "rotational" if rotates else "SSD"


def _devices(root: Path) -> list[dict[str, Any]]:
    found = []
    for disk in children(root / "sys/block"):
        sectors = read_int(disk / "size")
        if not sectors or disk.name.startswith(("loop", "ram", "zram", "sr", "fd")):
            continue
        folder = disk.resolve()
        found.append(
            {
                "name": disk.name,
                "model": read(folder / "device/model") or read(folder / "dm/name") or None,
                "kind": device_kind(folder),
                "size_bytes": sectors * 512,
                "scheduler": read(folder / "queue/scheduler"),
                "driver": target(folder / "device/device/driver") or target(folder / "device/driver"),
            }
        )
    return found


def _sizes(space: Reply | None) -> dict[str, dict[str, Any]]:
    rows = []
    for line in space.said.splitlines() if space else ():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return {row.pop("point"): row for row in rows}


def _measured(mount: dict[str, Any], sizes: dict[str, dict[str, Any]], space: Reply | None) -> dict[str, Any]:
    size = sizes.get(mount["mount"])
    if size is None:
        late = {"state": "unanswered", "note": space.reason} if space and space.state == "unanswered" else {}
        return {**mount, "total_bytes": None, "free_bytes": None, **late}
    return {**mount, "total_bytes": None, "free_bytes": None, **size}


def _holding(mounts: list[dict[str, Any]], place: Path) -> dict[str, Any] | None:
    """The deepest mount above a folder."""
    above = [mount for mount in mounts if place.is_relative_to(mount["mount"])]
    return max(above, key=lambda mount: len(Path(mount["mount"]).parts), default=None)
