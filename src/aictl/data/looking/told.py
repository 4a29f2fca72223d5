"""What a dataset's metrics tell of how it was made, as ``data prep`` writes them. Other commands write what they like
under the same names, so whatever is of another shape is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from aictl.artifacts.dataset import Dataset


class Step(NamedTuple):
    """What a step left, how many documents it dropped and changed by the reason, and what it came upon in those that
    stay: how many are in each language, or how much personal data of each kind there was. Of pictures there are bytes
    and no characters."""

    name: str
    documents: int
    characters: int
    dropped: Mapping[str, int]
    changed: Mapping[str, int]
    found: Mapping[str, int]


def steps_of(dataset: Dataset) -> list[Step]:
    """The steps in their order."""
    rows = dataset.metrics.get("steps")
    found = []
    for row in rows if isinstance(rows, list | tuple) else ():
        size = row.get("characters", row.get("bytes")) if isinstance(row, Mapping) else None
        if isinstance(row, Mapping) and isinstance(size, int) and _is_count(size) and _is_count(row.get("documents")):
            counts = (counts_of(row, "dropped"), counts_of(row, "changed"), counts_of(row, "found"))
            found.append(Step(str(row.get("step")), row["documents"], size, *counts))
    return found


def read_of(dataset: Dataset) -> int | None:
    """How many documents there were at first."""
    return counts_of(dataset.metrics, "documents").get("in")


def counts_of(metrics: Mapping[str, Any], name: str) -> dict[str, int]:
    """The counts under a name; none if there is nothing of the kind. What was counted 0 times is left out."""
    counts = metrics.get(name)
    if not isinstance(counts, Mapping):
        return {}
    return {str(key): count for key, count in counts.items() if _is_count(count) and count}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
