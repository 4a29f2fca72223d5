"""Energy that the processors of this machine have used, where Linux lets it be read (powercap, RAPL)."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/sys/class/powercap")


def packages(root: Path = _ROOT) -> dict[str, tuple[int, int]]:
    """For each processor package what its counter stands at and where it starts anew, in microjoules; none where the
    machine has no counters, or keeps them for the superuser."""
    found = {}
    for zone in sorted(root.glob("intel-rapl:*")):
        if zone.name.count(":") > 1:
            continue  # a part of a package, which is in its counter already
        try:
            counted, most = (int((zone / name).read_text()) for name in ("energy_uj", "max_energy_range_uj"))
        except (OSError, ValueError):
            continue
        found[zone.name] = (counted, most)
    return found


def joules(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> float | None:
    """What was used between two readings; None without counters. A counter that is smaller has started anew once."""
    both = before.keys() & after.keys()
    if not both:
        return None
    return sum((after[name][0] - before[name][0]) % after[name][1] for name in both) / 1e6
