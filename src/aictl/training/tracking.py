"""A run's measures on their way to experiment trackers, each spoken to by a thread beside training."""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path

from aictl.core import doors
from aictl.core.errors import WorkFailed
from aictl.core.events import Advanced, Event, Events, Measured
from aictl.training.trackers import Run, Tracker

IDENTITIES = "trackers.json"  # in the scratch folder: what each tracker knows an interrupted run by
MOST_WAITING = 10_000  # rows that a slow tracker has still to take; those beyond are left out, and that is said
CLOSE_S = 60.0  # how long is waited for what is still to be sent when training is over

Make = Callable[[Run], Tracker]


@contextmanager
def tracked(
    names: Sequence[str], options: Mapping[str, str | int | float | bool], scratch: Path, events: Events
) -> Iterator[Events]:
    """Events that pass on to ``events`` and tell the trackers of ``names``, as ``--track`` has them, too.

    They begin when the training tells where it stands. Raises :class:`WorkFailed` for one that cannot; one that fails
    later is done without, which is said.
    """
    if not names:
        yield events
        return
    known = scratch / IDENTITIES
    sink = _Tracked({name: _maker(name) for name in names}, options, known, events)
    ended = False
    try:
        with redirect_stdout(sys.stderr):  # stdout belongs to the result, and some of them greet
            yield Events(sink)
        ended = True
    finally:
        sink.close(ended)
    known.unlink(missing_ok=True)


def _maker(text: str) -> Make:
    name, _, place = text.partition(":")
    kind = doors.doors(doors.TRACKERS)[name].load()
    return lambda run: kind(place or None, run)


class _Tracked:
    """A sink before another: what is measured at one step is one row for each tracker."""

    def __init__(
        self,
        makers: Mapping[str, Make],
        options: Mapping[str, str | int | float | bool],
        known: Path,
        events: Events,
    ) -> None:
        self._makers, self._options, self._known, self._events = makers, options, known, events
        self._senders: dict[str, _Sender] | None = None
        self._row: dict[str, float] = {}
        self._step = 0

    def __call__(self, event: Event) -> None:
        match event:
            case Advanced(_, done) if self._senders is None:
                self._begin(int(done))
            case Measured(name, value, step) if step is not None:
                if step != self._step:
                    self._send()
                self._step, self._row[name] = step, value
        self._events.emit(event)

    def close(self, ended: bool) -> None:
        if self._senders is None:
            return
        self._send()
        until = time.monotonic() + CLOSE_S
        for sender in self._senders.values():
            sender.end(ended, until)
        for name, sender in self._senders.items():
            if wrong := sender.wait(until):
                self._events.noted(f"--track {name}: {wrong}", "warning")

    def _begin(self, step: int) -> None:
        identities: dict[str, str] = {}
        with suppress(OSError, ValueError):
            identities = json.loads(self._known.read_text("utf-8"))
        called = time.strftime("%Y-%m-%d_%H-%M-%S")
        self._senders = {}
        for name, make in self._makers.items():
            self._senders[name] = sender = _Sender(make, Run(called, self._options, step, identities.get(name)))
            try:
                tracker = sender.made.result()
            except Exception as error:
                raise WorkFailed(
                    f"--track {name}: {type(error).__name__}: {error}", cure="is it set up, and can it be reached?"
                ) from error
            identities[name] = tracker.identity
            self._events.noted(f"tracked in {tracker.where}")
        self._known.write_text(json.dumps(identities), "utf-8")

    def _send(self) -> None:
        if self._row:
            for sender in (self._senders or {}).values():
                sender.send(self._row, self._step)
        self._row = {}


class _Sender:
    """One tracker and its thread: a server that is slow, or gone, keeps no step waiting, and no process alive."""

    def __init__(self, make: Make, run: Run) -> None:
        self.made: Future[Tracker] = Future()
        self._rows: queue.Queue[tuple[Mapping[str, float], int] | bool] = queue.Queue(MOST_WAITING)
        self._lost = 0
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, args=(make, run), name="tracker", daemon=True)
        self._thread.start()

    def send(self, row: Mapping[str, float], step: int) -> None:
        try:
            self._rows.put_nowait((row, step))
        except queue.Full:
            self._lost += 1

    def end(self, ended: bool, until: float) -> None:
        """Have it closed when everything is told, for which there has to be room first."""
        with suppress(queue.Full):
            self._rows.put(ended, timeout=max(0.0, until - time.monotonic()))

    def wait(self, until: float) -> str | None:
        """Wait until everything is told; what went wrong, if anything did."""
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._error is not None:
            return f"it took no more after {type(self._error).__name__}: {self._error}"
        if self._thread.is_alive():
            return f"it was still taking rows after {CLOSE_S:.0f} s; about {self._rows.qsize()} are lost"
        return f"{self._lost} rows were left out, because it was too slow" if self._lost else None

    def _work(self, make: Make, run: Run) -> None:
        try:
            tracker = make(run)
        except Exception as error:
            self.made.set_exception(error)
            return
        self.made.set_result(tracker)
        try:
            while not isinstance(one := self._rows.get(), bool):
                tracker.log(*one)
            tracker.close(one)
        except Exception as error:
            self._error = error
