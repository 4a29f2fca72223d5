"""What a check is handed, and what it finds."""

from __future__ import annotations

from typing import Any, NamedTuple

from aictl.hw.spec import Purpose

State = str
PASSES, WARNS, FAILS, NOT_APPLICABLE = "passes", "warns", "fails", "not applicable"


class Case(NamedTuple):
    """The machine, as a probe found it, and what it is meant for."""

    facts: dict[str, Any]
    purpose: Purpose | None = None
    disk_gib: float = 0.0

    @property
    def gpus(self) -> list[dict[str, Any]]:
        """NVIDIA's GPUs, also those that do not answer."""
        return self.facts["accelerators"]["nvidia"]["devices"]

    @property
    def nvidia(self) -> dict[str, Any]:
        return self.facts["accelerators"]["nvidia"]

    @property
    def torch(self) -> dict[str, Any]:
        return self.facts["software"]["torch"]

    @property
    def runtime(self) -> dict[str, Any]:
        return self.facts["software"]["onnxruntime"]


class Finding(NamedTuple):
    """One check's result: its state, what was found, and what to do about it."""

    state: State
    message: str
    cure: str = ""


def passes(message: str) -> Finding:
    return Finding(PASSES, message)


def warns(message: str, cure: str) -> Finding:
    return Finding(WARNS, message, cure)


def fails(message: str, cure: str) -> Finding:
    return Finding(FAILS, message, cure)


def not_applicable(message: str) -> Finding:
    return Finding(NOT_APPLICABLE, message)


def numbered(count: int, thing: str) -> str:
    """``1 port``, ``2 ports``."""
    return f"{count} {thing}{'s' * (count != 1)}"
