"""Four ways to show what a running verb tells: bars on a terminal, a screen full of curves, plain lines, JSON lines.

All of them write to stderr; stdout belongs to the result.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Literal, Protocol

from aictl.cli import streams
from aictl.core.events import Event

Style = Literal["auto", "rich", "tui", "plain", "jsonl", "none"]


class Sink(Protocol):
    """Shows events until it is closed."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Lazy:
    """A sink that is made when there is something to show, so that a command which finds
    everything up to date never imports the means to draw it. What is told after it was closed, beside
    the result, is shown by what ``after`` makes."""

    def __init__(self, make: Callable[[], Sink], after: Callable[[], Sink]) -> None:
        self._make, self._after = make, after
        self._sink: Sink | None = None

    def __call__(self, event: Event) -> None:
        try:
            if self._sink is None:
                self._sink = self._make()
            self._sink(event)
        except OSError:
            # Nobody watches any more. The work goes on, and its result is all the same.
            self._sink = _none()
            streams.lost(sys.stderr)

    def pause(self) -> None:
        """Leave the terminal to another process; what is told after that is shown as it was before."""
        sink, self._sink = self._sink, None
        if sink is not None:
            try:
                sink.close()
            except OSError:
                streams.lost(sys.stderr)

    def close(self) -> None:
        self.pause()
        self._make = self._after


def choose(style: Style) -> Lazy:
    """The sink for a style; ``auto`` is rich on a terminal and plain lines otherwise, which ``tui`` is too where
    nothing can be drawn."""
    if style == "auto":
        style = "rich" if sys.stderr.isatty() else "plain"
    if style == "tui" and not (sys.stderr.isatty() and os.environ.get("TERM") not in (None, "", "dumb")):
        style = "plain"
    make = {"rich": _rich, "tui": _tui, "plain": _plain, "jsonl": _jsonl, "none": _none}[style]
    return Lazy(make, after=_rich if style == "tui" else make)


def _rich() -> Sink:
    from aictl.cli.sinks.rich import RichSink

    return RichSink()


def _tui() -> Sink:
    from aictl.cli.sinks.tui import TuiSink

    return TuiSink()


def _plain() -> Sink:
    from aictl.cli.sinks.plain import PlainSink

    return PlainSink()


def _jsonl() -> Sink:
    from aictl.cli.sinks.jsonl import JsonLinesSink

    return JsonLinesSink()


def _none() -> Sink:
    from aictl.cli.sinks.plain import Nothing

    return Nothing()
