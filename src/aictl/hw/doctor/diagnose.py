"""Look at the machine, run every check on what was found, and write down the findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aictl.artifacts.diagnosis import Diagnosis
from aictl.core.events import Events, silent
from aictl.hw.doctor.checks import CHECKS
from aictl.hw.doctor.finding import Case
from aictl.hw.probe import look
from aictl.hw.software import torch_build
from aictl.hw.spec import DoctorSpec


def diagnose(folder: Path, spec: DoctorSpec, place: Path, events: Events = silent) -> Diagnosis:
    """Write ``diagnosis.json`` into ``folder``; ``place`` is where the job writes."""
    events.started("looking at the machine")
    # A torch that is built for the processor has nothing to find, and takes seconds to say so.
    deep = torch_build().get("build") not in (None, "cpu")
    facts = look(place=place, deep=deep, timeout_s=spec.timeout_s)
    events.finished("looking at the machine")
    return written(folder, Case(facts, spec.purpose, spec.disk_gib))


def written(folder: Path, case: Case) -> Diagnosis:
    """The findings of every check on a case."""
    Diagnosis.write(folder, {"for": case.purpose, "checks": findings(case)})
    made = Diagnosis(folder)
    return Diagnosis(folder, metrics=made.counts(), summary=made.in_a_line())


def findings(case: Case) -> list[dict[str, Any]]:
    """``check``, ``state``, ``required``, ``message`` and ``cure`` of each check."""
    rows = []
    for check in CHECKS:
        finding = check.look(case)
        rows.append(
            {
                "check": check.name,
                "state": finding.state,
                "required": check.is_required(case.purpose),
                "message": finding.message,
                "cure": finding.cure or None,
            }
        )
    return rows
