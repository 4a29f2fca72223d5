"""Reading the small files in which a kernel tells about itself."""

from __future__ import annotations

from pathlib import Path


def read(path: Path) -> str | None:
    """The stripped text of a file, or None if it is not there or will not be read (a sysfs file may
    exist and answer with an error)."""
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return None


def read_int(path: Path) -> int | None:
    """The number in a file, decimal or ``0x``, or None."""
    try:
        return int(read(path) or "", 0)
    except ValueError:
        return None


def children(folder: Path, pattern: str = "*") -> list[Path]:
    """What lies in a folder and matches, in natural order: ``node2`` before ``node10``."""
    try:
        found = list(folder.glob(pattern))
    except OSError:
        return []
    return sorted(found, key=lambda path: (len(path.name), path.name))


def parse_size(text: str | None) -> int | None:
    """Bytes of a size such as ``32K`` or ``8M``, as in the cache folders of sysfs, or None."""
    if not text:
        return None
    unit = {"K": 2**10, "M": 2**20, "G": 2**30}.get(text[-1].upper())
    digits = text[:-1] if unit else text
    return int(digits) * (unit or 1) if digits.isdigit() else None


def parse_list(text: str | None) -> list[int]:
    """The numbers of a kernel list such as ``0-3,8,10-11``
    (https://docs.kernel.org/admin-guide/kernel-parameters.html#cpu-lists)."""
    numbers: list[int] = []
    for part in (text or "").split(","):
        first, dash, last = part.strip().partition("-")
        if first.isdigit() and (last.isdigit() or not dash):
            numbers += range(int(first), int(last or first) + 1)
    return numbers
