"""diagnosis: what was found by checking a machine, and what to do about it. File: ``diagnosis.json``:
``{"for": purpose or null, "checks": [{"check", "state", "required", "message", "cure"}]}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aictl.artifacts.report import Report
from aictl.core.answer import Answer, Document, Section, Table

STATES = {"passes": "green", "warns": "yellow", "fails": "red", "not applicable": "dim"}
_MACHINE_LACKS = 5


class Diagnosis(Report):
    """The findings of the doctor's checks."""

    kind = "diagnosis"
    about = "what was found by checking a machine, with the cures"

    def lacking(self, facts: Mapping[str, Any]) -> str | None:
        whole = all(one["state"] in STATES and isinstance(one["required"], bool) for one in facts["checks"])
        return None if whole else "a check has no known state"

    @property
    def exit_code(self) -> int:
        """5 when a check that the purpose requires has failed."""
        return _MACHINE_LACKS if self._failed() else 0

    def _failed(self) -> list[str]:
        return [one["check"] for one in self.facts["checks"] if one["state"] == "fails" and one["required"]]

    def counts(self) -> dict[str, int]:
        """How many checks came to each state, and how many of those that failed are required."""
        states = [one["state"] for one in self.facts["checks"]]
        counted = {state.replace(" ", "_"): states.count(state) for state in STATES}
        return {**counted, "required_failed": len(self._failed())}

    def in_a_line(self) -> str:
        counted = self.counts()
        told = f"{counted['passes']} pass, {counted['warns']} warn, {counted['fails']} fail"
        purpose = f" for {self.facts['for']}" if self.facts["for"] else ""
        failed = self._failed()
        return told + (f"; not fit{purpose}: {', '.join(failed)}" if failed else f"; fit{purpose}" if purpose else "")

    def answer(self) -> Answer:
        checks = self.facts["checks"]
        shown = [one for one in checks if one["state"] != "not applicable"]
        others = [one["check"] for one in checks if one["state"] == "not applicable"]
        rows = [(one["state"], one["check"] + " *" * one["required"], one["message"]) for one in shown]
        cures = {one["check"]: one["cure"] for one in shown if one["cure"]}
        title = f"checks for {self.facts['for']}" if self.facts["for"] else "checks"
        summary = {"in all": self.in_a_line(), "not applicable": ", ".join(others), "*": "has to pass"}
        sections = [
            Section(title, Table(("state", "check", "found"), rows, {"state": STATES})),
            Section("what to do", cures),
            Section("summary", {name: text for name, text in summary.items() if text}),
        ]
        columns = ("check", "state", "required", "message", "cure")
        table = Table(columns, [tuple(one[name] for name in columns) for one in checks])
        value = {**self.facts, "exit_code": self.exit_code, "counts": self.counts()}
        return Document(value, sections=sections, table=table)
