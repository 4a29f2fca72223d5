"""CPU time of whole processes, run in turn so that a machine that drifts drifts for both."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """Two commands measured in turn: median CPU seconds of each, and the median of the ratios."""

    ours_s: float
    theirs_s: float
    ratio: float
    low: float
    high: float


def cpu_s(command: Sequence[str], *, cwd: Path, environment: dict[str, str] | None = None) -> float:
    """User and system seconds of one run, as the operating system accounts for them."""
    process = subprocess.Popen(
        list(command),
        cwd=cwd,
        # As installed: a program whose modules are compiled anew at every start is another program.
        env={name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        | (environment or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} exited with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def in_turn(
    ours: Sequence[str],
    theirs: Sequence[str],
    *,
    cwd: Path,
    runs: int = 15,
    ours_environment: dict[str, str] | None = None,
) -> Pair:
    """Run two commands A B A B ..., after one run of each that does not count."""
    pairs = []
    for run in range(runs + 1):
        pair = (cpu_s(ours, cwd=cwd, environment=ours_environment), cpu_s(theirs, cwd=cwd))
        if run:
            pairs.append(pair)
    ratios = sorted(a / b for a, b in pairs)
    quarter = len(ratios) // 4
    return Pair(
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(ratios),
        ratios[quarter],
        ratios[-1 - quarter],
    )
