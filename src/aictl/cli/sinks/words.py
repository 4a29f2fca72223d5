"""A run in words and numbers as a person reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from rich.text import Text

from aictl.cli.sinks.plain import number
from aictl.cli.table import printable
from aictl.core.events import Started

_FIRST = ("loss", "held_out_loss", "learning_rate", "tokens_per_second", "mfu", "memory_bytes", "gradient_norm")
_LABELS = {"held_out_loss": "held-out loss", "mfu": "MFU", "memory_bytes": "memory"}


class Line(NamedTuple):
    """Something that was told, and that is said again when the screen has gone."""

    mark: str  # ✓ for a task that has finished, ! for a warning, · for the rest
    text: str
    values: str = ""

    def drawn(self) -> Text:
        colour = {"✓": "green", "!": "yellow"}.get(self.mark, "dim")
        text = Text(f"{self.mark} ", style=colour)
        text.append(printable(self.text), style="yellow" if self.mark == "!" else "default")
        return text.append(f" {self.values}", style="dim") if self.values else text


class Task:
    """One that runs."""

    def __init__(self, started: Started, now: float) -> None:
        self.name, self.total, self.unit = started
        self.done = 0.0
        self.began = now
        self._first: tuple[float, float] | None = None  # when it first said how far it was, and how far
        self._at = now

    def advance(self, done: float, now: float) -> None:
        if self._first is None or done < self._first[1]:
            self._first = (now, done)
        self.done, self._at = done, now

    def left_s(self, now: float) -> float | None:
        """Seconds to its end at the mean pace so far; None where that is not known."""
        if not self.total or self._first is None or self.done <= self._first[1]:
            return None
        pace = (self._at - self._first[0]) / (self.done - self._first[1])
        return max(0.0, (self.total - self.done) * pace - (now - self._at))

    def counted(self) -> str:
        """``step 40 of 1,000``, ``5 MB of 2.00 GB``, ``7 files``."""
        if self.unit == "bytes":
            done, total = (written(self.unit, value or 0) for value in (self.done, self.total))
            return f"{done} of {total}" if self.total else done if self.done else ""
        if not self.total:
            return f"{number(self.done)} {self.unit}".rstrip() if self.done else ""
        return f"{self.unit.removesuffix('s')} {number(self.done)} of {number(self.total)}".lstrip()


def in_order(measured: Iterable[str]) -> list[str]:
    """What every run has first, and then the rest as it came."""
    names = list(measured)
    return [*(name for name in _FIRST if name in names), *(name for name in names if name not in _FIRST)]


def label(name: str) -> str:
    """What a person calls it."""
    name = printable(name)
    return _LABELS.get(name) or name.removesuffix("_bytes").replace("_per_second", "/s").replace("_", " ")


def written(name: str, value: float) -> str:
    """A measured value in its unit."""
    if not math.isfinite(value):
        return str(value)
    if name == "mfu":
        return f"{value:.1%}".replace("%", " %")
    if name.endswith("bytes"):
        return f"{value / 1e9:,.2f} GB" if value >= 1e9 else f"{value / 1e6:,.0f} MB"
    if name.endswith("_per_second") and value >= 10:
        return f"{value:,.0f}"
    if name.endswith("loss") and 0.001 <= abs(value) < 100:
        return f"{value:.4f}"
    return number(value)


def lasted(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else clock(seconds)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: ``1:02:03``, ``2:03``, ``2 d 1:02:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    text = f"{hours}:{minutes:02}:{rest:02}" if hours or days else f"{minutes}:{rest:02}"
    return f"{days} d {text}" if days else text
