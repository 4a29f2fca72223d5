"""What a running verb tells the world, without knowing whether anyone looks at a screen.

A verb is handed an :class:`Events` and calls its five methods. Whoever started the verb decides
what becomes of them: a progress bar, plain lines, JSON lines, the journal, or nothing.

They are named tuples because every command imports them: a dataclass takes eight times as long to
make, and two dozen of them would be a tenth of a short command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Union

from aictl.core.redaction import redacted


class Started(NamedTuple):
    """A task began; ``total`` is in ``unit``, or None when nobody can know."""

    task: str
    total: float | None = None
    unit: str = ""


class Advanced(NamedTuple):
    """A task has come to ``done`` of its total."""

    task: str
    done: float


class Measured(NamedTuple):
    """A quantity was measured: a loss at a step, a rate, a worst difference."""

    name: str
    value: float
    step: int | None = None


class Noted(NamedTuple):
    """Something a person should read. ``detail`` is for the curious: the journal keeps it,
    the screen does not show it."""

    message: str
    level: Literal["detail", "info", "warning"] = "info"


class Finished(NamedTuple):
    """A task ended well; a task that fails ends with an exception instead."""

    task: str


Event = Union[Started, Advanced, Measured, Noted, Finished]


class Events:
    """The five things a verb may tell, each passed on to one sink at once. URLs in what is told lose
    the credentials that they carry."""

    def __init__(self, sink: Callable[[Event], None]) -> None:
        self._sink = sink

    def emit(self, event: Event) -> None:
        """Pass on an event as it is, for a sink that stands before another."""
        self._sink(event)

    def started(self, task: str, total: float | None = None, unit: str = "") -> None:
        self._sink(Started(redacted(task), total, unit))

    def advanced(self, task: str, done: float) -> None:
        self._sink(Advanced(redacted(task), done))

    def measured(self, name: str, value: float, step: int | None = None) -> None:
        self._sink(Measured(name, float(value), step))

    def noted(self, message: str, level: Literal["detail", "info", "warning"] = "info") -> None:
        self._sink(Noted(redacted(message), level))

    def finished(self, task: str) -> None:
        self._sink(Finished(redacted(task)))


silent = Events(lambda event: None)
