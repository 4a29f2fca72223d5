"""The history of a run: one JSON object a line, a row for each step and each evaluation.

A step's row is ``{"step", "loss", "learning_rate", "gradient_norm"}``, an evaluation's
``{"step", "held_out_loss"}``. Nothing here tells the time: equal runs have equal histories.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

HISTORY_NAME = "metrics.jsonl"


class History:
    """Appends rows to ``path``. An interrupted run's rows up to ``step`` are kept; those after
    the state it resumes from, and half a line that a kill left, are dropped."""

    def __init__(self, path: Path, step: int, told: Callable[[str], str] = str, *, writes: bool = True) -> None:
        """Of several processes one ``writes``, and ``told`` gives its rows to all."""
        self.path = path
        self._writes = writes
        rows = [row for row in _read(path) if row["step"] <= step] if step and writes else []
        self.rows: list[dict[str, Any]] = json.loads(told(json.dumps(rows)))
        if writes:
            with path.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in self.rows)

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        if self._writes:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

    def values(self, name: str) -> list[float]:
        return [row[name] for row in self.rows if name in row]

    def evaluations(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if "held_out_loss" in row]

    @property
    def lowest_is_last(self) -> bool:
        """Whether no evaluation before the last had as low a loss."""
        losses = self.values("held_out_loss")
        return losses[-1] < min(losses[:-1], default=float("inf"))

    @property
    def evaluated(self) -> int | None:
        """The step of the last evaluation."""
        return next((row["step"] for row in reversed(self.rows) if "held_out_loss" in row), None)

    def copy_to(self, folder: Path) -> None:
        shutil.copyfile(self.path, folder / HISTORY_NAME)


def _read(path: Path) -> list[dict[str, Any]]:
    rows = []
    if path.exists():
        for line in path.read_text("utf-8", errors="replace").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
    return rows
