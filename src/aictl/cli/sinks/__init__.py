"""Three ways to show what a running verb tells: rich on a terminal, plain lines, JSON lines.

All of them write to stderr; stdout belongs to the result.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Protocol

from aictl.core.events import Event

Style = Literal["auto", "rich", "plain", "jsonl", "none"]


class Sink(Protocol):
    """Shows events until it is closed."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Lazy:
    """A sink that is made when there is something to show, so that a command which finds
    everything up to date never imports the means to draw it."""

    def __init__(self, make: Callable[[], Sink]) -> None:
        self._make = make
        self._sink: Sink | None = None

    def __call__(self, event: Event) -> None:
        try:
            if self._sink is None:
                self._sink = self._make()
            self._sink(event)
        except OSError:
            # Nobody watches any more. The work goes on, and its result is all the same.
            self._sink = _none()

    def close(self) -> None:
        if self._sink is not None:
            with suppress(OSError):
                self._sink.close()


def choose(style: Style) -> Sink:
    """The sink for a style; ``auto`` is rich on a terminal and plain lines otherwise."""
    if style == "auto":
        style = "rich" if sys.stderr.isatty() else "plain"
    return Lazy({"rich": _rich, "plain": _plain, "jsonl": _jsonl, "none": _none}[style])


def _rich() -> Sink:
    from aictl.cli.sinks.rich import RichSink

    return RichSink()


def _plain() -> Sink:
    from aictl.cli.sinks.plain import PlainSink

    return PlainSink()


def _jsonl() -> Sink:
    from aictl.cli.sinks.jsonl import JsonLinesSink

    return JsonLinesSink()


def _none() -> Sink:
    from aictl.cli.sinks.plain import Nothing

    return Nothing()
