"""Calling the roll: which processes are there, told through the store that all of them reach."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import torch.distributed as dist


def missing(store: dist.Store, roll: str, rank: int, ranks: int, *, within_s: float) -> list[int]:
    """Answer to a roll and wait for the others; returns the ranks that have not answered within ``within_s`` seconds.

    Raises torch's ``DistError`` if the store itself cannot be reached.
    """
    store.set(f"{roll}/{rank}", "here")
    # Whoever is the last says so: each process then waits for one key, however many they are.
    if store.add(f"{roll}/count", 1) == ranks:
        store.set(f"{roll}/complete", "yes")
    try:
        store.wait([f"{roll}/complete"], timedelta(seconds=within_s))
    except dist.DistStoreError:
        return [other for other in range(ranks) if not store.check([f"{roll}/{other}"])]
    return []


def named(ranks: Sequence[int], total: int) -> str:
    """Ranks for a person: ``rank 1 of 4``, ``ranks 1, 2 of 4``."""
    return f"rank{'s' if len(ranks) > 1 else ''} {', '.join(map(str, ranks))} of {total}"
