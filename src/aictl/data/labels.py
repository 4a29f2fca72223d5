"""Labels as records hold them: words or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aictl.data.documents import Rejected

MOST_CHARACTERS = 255  # as many as a folder's name may have


class NoLabel(ValueError):
    """What stands there is no label."""


def named(value: Any, names: Sequence[str] = ()) -> str | None:
    """A label as it stands in a dataset, of a number the one of that place in ``names``; -1 is how ``datasets`` writes
    that there is none. Raises :class:`NoLabel`."""
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, int):
        raise NoLabel(f"one of type {type(value).__name__}, and not a number or a name")
    if isinstance(value, bool) or not names:
        return None if value == -1 else str(int(value))
    if not -1 <= value < len(names):
        raise NoLabel(f"{value}, and there are {len(names):,} classes")
    return None if value < 0 else names[value]


def unfit(label: str) -> str | None:
    """Why a label cannot stand in a dataset, or None if it can."""
    if len(label) > MOST_CHARACTERS:
        return f"one of {len(label):,} characters"
    return None if label.isprintable() else "one with control characters"


def without(source: str, detail: str) -> Rejected:
    """A document that has no label, where all have to have one."""
    return Rejected(source, "no label", detail)
