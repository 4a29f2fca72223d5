"""The record of an artifact as it comes out of a store: what it may say, and which bytes it names."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from aictl.core.artifact import RECORD_NAME, Record


class Blob(NamedTuple):
    """The bytes of one file."""

    sha256: str
    size_bytes: int


def require_sane(record: Record) -> None:
    """Raises ``ValueError`` for a record that nobody of ours wrote: files outside the artifact's folder, or
    digests that are none."""
    for name, value in (("kind", record.kind), ("id", record.id), ("key", record.key)):
        pattern = r"[a-z][a-z0-9_-]*" if name == "kind" else r"[0-9a-f]{64}"
        if not re.fullmatch(pattern, value):
            raise ValueError(f"its {name} is {value!r}")
    taken: set[str] = set()
    for path, entry in record.files.items():
        steps = path.split("/")
        if any(step in ("", ".", "..") for step in steps) or "\0" in path or path == RECORD_NAME:
            raise ValueError(f"a file of it is called {path!r}")
        if not re.fullmatch(r"[0-9a-f]{64}", entry["sha256"]) or not _is_size(entry["size"]):
            raise ValueError(f"{path!r} has no size or no sha256")
        taken |= {"/".join(steps[:count]) for count in range(1, len(steps))}
    if clash := taken & set(record.files):
        raise ValueError(f"{min(clash)!r} is a file and a folder")


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def blobs_of(record: Record) -> dict[Blob, list[str]]:
    """The blobs of an artifact, each with the paths of the files that it is."""
    found: dict[Blob, list[str]] = {}
    for path, entry in record.files.items():
        found.setdefault(Blob(entry["sha256"], entry["size"]), []).append(path)
    return found
