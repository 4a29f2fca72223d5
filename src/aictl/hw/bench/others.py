"""How much of the processors' time went to others while we measured: figures of a busy machine are too low."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from aictl.hw.files import read

NOTABLE = 0.05  # of all processors' time


class Moment(NamedTuple):
    """Seconds since some start: by the clock, of all processors' work, of what a hypervisor gave to other machines,
    and of our own work, with that of the processes that we waited for."""

    clock: float
    busy: float
    stolen: float
    own: float
    processors: int


def now(root: Path = Path("/")) -> Moment | None:
    """This moment, or None where the kernel does not tell."""
    lines = (read(root / "proc/stat") or "").splitlines()
    first = lines[0].split()[1:9] if lines and lines[0].startswith("cpu ") else []
    if len(first) < 8 or not all(word.isdigit() for word in first):
        return None
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = (
        int(word) / os.sysconf("SC_CLK_TCK") for word in first
    )
    own = sum(os.times()[:4])
    count = sum(line.startswith("cpu") for line in lines) - 1
    return Moment(time.monotonic(), user + nice + system + interrupts + soft, stolen, own, max(1, count))


def share(before: Moment | None, after: Moment | None) -> tuple[float, float] | None:
    """The shares of all processors' time that other programs and that other machines took in between."""
    if before is None or after is None or after.clock <= before.clock:
        return None
    whole = (after.clock - before.clock) * after.processors
    others = (after.busy - before.busy) - (after.own - before.own)
    return max(0.0, others / whole), max(0.0, (after.stolen - before.stolen) / whole)


def notes(found: tuple[float, float] | None) -> list[str]:
    """What a reader has to know of it."""
    if found is None:
        return []
    who = ("other programs took", "the hypervisor gave other machines")
    return [
        f"{name} {part:.0%} of the processors' time meanwhile: on a quiet machine the rates are higher"
        for name, part in zip(who, found, strict=True)
        if part > NOTABLE
    ]
