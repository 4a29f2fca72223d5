"""A full screen: the run's curves and numbers, drawn anew twice a second, and gone without a trace at its end.

It opens with the first task. A thread draws, so that it goes on through a long step, and so that a terminal which does
not take what is written to it (Ctrl-S) holds up no training.
"""

from __future__ import annotations

import atexit
import os
import shlex
import signal
import sys
import threading
from types import FrameType
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live

from aictl.cli.running import running
from aictl.cli.sinks.board import Board, Line
from aictl.cli.sinks.rich import RichSink
from aictl.core.events import Event, Noted, Started

EVERY_S = 0.5


class TuiSink:
    """What is told before the first task is shown as lines; so is everything once a screen could not be drawn."""

    def __init__(self) -> None:
        self._outside = RichSink()
        self._screen: _Screen | None = None
        self._has_failed = False

    def __call__(self, event: Event) -> None:
        if self._screen is None and isinstance(event, Started) and not self._has_failed:
            self._screen = _Screen(shlex.join(running.words))
            self._screen.open()
        if self._screen is None:
            self._outside(event)
            return
        self._screen.take(event)
        if (error := self._screen.failed) is not None:
            self._has_failed = True
            self.close()
            if isinstance(error, OSError):
                raise error
            # The work is worth more than the view of it.
            self._outside(Noted(f"the live view ended: {type(error).__name__}: {error}", "warning"))

    def close(self) -> None:
        screen, self._screen = self._screen, None
        if screen is not None:
            screen.close()
        self._outside.close()


class _Screen:
    """The terminal's other screen, from :meth:`open` to :meth:`close`."""

    def __init__(self, title: str) -> None:
        self.failed: Exception | None = None
        self._stderr = sys.stderr
        self._console = Console(file=self._stderr, highlight=False)
        self._live = Live(
            console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._board = Board(title)
        self._lock = threading.RLock()  # of the board; it is never held while something is written
        self._drawing = threading.Lock()  # of the terminal
        self._over = threading.Event()
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._keep_drawing, name="aictl-tui", daemon=True)

    def open(self) -> None:
        atexit.register(self._restore)
        sys.stderr = _Caught(self._stderr, self._said)
        try:
            self._live.start()
        except OSError:
            self._restore()
            raise
        self._thread.start()
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._suspend)

    def take(self, event: Event) -> None:
        with self._lock:
            self._board.take(event)

    def close(self) -> None:
        """Give the terminal back, and say on it what was told meanwhile."""
        self._over.set()
        try:
            if self._thread.is_alive():
                self._thread.join()
        finally:
            self._restore()
            atexit.unregister(self._restore)
        self._board.stop()
        if left_out := self._board.told - len(self._board.lines):
            self._console.print(f"[dim]· {left_out:,} lines before these are left out[/]")
        for line in self._board.lines:
            self._console.print(line.drawn())

    def _keep_drawing(self) -> None:
        try:
            self._draw()
            while not self._over.wait(EVERY_S):
                self._draw()
        except Exception as error:  # told by the next event, in the thread that works
            self.failed = error

    def _draw(self) -> None:
        width, height = self._console.size
        with self._lock:
            picture = self._board.picture(width, height)
        with self._drawing:
            self._live.update(picture, refresh=True)

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: the shell has the terminal until this process goes on."""
        if os.getpid() != self._process:  # a worker that was forked
            os.kill(os.getpid(), signal.SIGSTOP)
            return
        with self._drawing:
            self._live.stop()
            os.kill(os.getpid(), signal.SIGSTOP)
            self._live.start()

    def _restore(self) -> None:
        """Also at the process's end, should an interruption have cut :meth:`close` short."""
        if os.getpid() != self._process:
            return
        if signal.getsignal(signal.SIGTSTP) == self._suspend:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        if isinstance(sys.stderr, _Caught):
            sys.stderr.last()
            sys.stderr = self._stderr
        self._live.stop()
        if self._console.is_alt_screen:
            self._console.show_cursor(True)
            self._console.set_alt_screen(False)

    def _said(self, text: str) -> None:
        with self._lock:
            self._board.say(Line("·", text))


class _Caught:
    """stderr while the screen is up: a library's warning would be drawn over at once, and is kept as a line."""

    def __init__(self, stream: TextIO, say: Any) -> None:
        self._stream, self._say = stream, say
        self._rest = ""
        self._process = os.getpid()

    def write(self, text: str) -> int:
        if os.getpid() != self._process:  # what a worker says, before it dies of it, no line would keep
            # Past the stream, whose lock may have been held, by the thread that draws, when the worker was forked.
            os.write(self._stream.fileno(), text.encode("utf-8", "backslashreplace"))
            return len(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line := line.rpartition("\r")[2].rstrip():
                self._say(line)
        return len(text)

    def flush(self) -> None:
        """A line is kept as soon as it has ended: nothing waits."""
        if os.getpid() == self._process:
            self._stream.flush()

    def last(self) -> None:
        """Keep what came after the last end of a line."""
        if self._rest:
            self.write("\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
