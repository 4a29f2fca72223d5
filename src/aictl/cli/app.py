"""The program: the root of the command tree, and the one place where an error becomes an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import typer

from aictl import __version__
from aictl.cli import sparing, streams
from aictl.cli.lazy import LazyGroup, tree
from aictl.cli.running import running
from aictl.cli.streams import unheard
from aictl.core import doors
from aictl.core.errors import AictlError, BadRequest, Interrupted, MachineLacks, NotFound, WorkFailed
from aictl.core.redaction import redacted


class RootGroup(LazyGroup):
    """The root: maps every way of failing to an exit code, also under a test runner."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # An option declared to Typer would have pydantic imported to read its value.
        if args[:1] == ["--version"]:
            with unheard(sys.stdout):
                typer.echo(f"aictl {__version__}")
            raise typer.Exit()
        return super().parse_args(ctx, args)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        self._words = list(args)
        running.begin(args)
        with self._failing():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        with self._failing():
            return super().invoke(ctx)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except (typer.Exit, typer.Abort):
            raise
        except (Exception, Interrupted) as error:
            told = error
            if type(error).__module__.startswith("typer"):
                from aictl.cli.usage import as_ours

                told = as_ours(error, self._called()).with_traceback(error.__traceback__)
            raise typer.Exit(_failed(told)) from error

    def _called(self) -> str:
        """The command that was typed, as far as there is one."""
        called, here = ["aictl"], self.branches
        for word in self._words:
            if word not in here:
                break
            called.append(word)
            below = here[word]
            here = below if isinstance(below, dict) else {}
        return " ".join(called)


def build() -> LazyGroup:
    """The command tree of what is installed now."""
    app = typer.Typer(cls=RootGroup, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.callback()(lambda: None)
    group = typer.main.get_command(app)
    assert isinstance(group, RootGroup)
    for option in group.params:
        # The completion flags: False instead of None, for the reason that LazyGroup gives.
        if getattr(option, "is_flag", False):
            option.default = False
    group.branches = tree(doors.doors(doors.COMMANDS))
    return group


def main() -> None:
    """Entry point of the ``aictl`` script."""
    # OpenMP's threads spin while they wait. On a machine that is shared, and a laptop or a CI runner
    # is, two threads that wait for a third which has no core to run on cost several times the work
    # itself (measured on two busy cores: 4 times the CPU time, 3 times the wall time).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # torch's C++ prints its stack for each connection that another process of a training run closes.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")
    sparing.begin()
    streams.begin()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        build()(prog_name="aictl")
    except Interrupted as error:  # between the parser and a command there is little to interrupt
        sys.exit(error.exit_code)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)


def _failed(error: BaseException) -> int:
    """Say on stderr what failed and what to do, and return the exit code."""
    if isinstance(error, Interrupted):
        if running.follows is not None:
            return error.exit_code
        again = "; nothing is half-made, and the same command goes on from what was saved" if running.makes else ""
        _say("interrupted", again, running.events, error.exit_code)
        return error.exit_code
    known = error if isinstance(error, AictlError) else _known(error)
    if running.debug:
        with unheard(sys.stderr):
            sys.stderr.write(redacted("".join(traceback.format_exception(error))))
    if known is None:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{place.filename}:{place.lineno}"
        message = f"a bug in aictl: {type(error).__name__}: {error} ({where})"
        _say(redacted(message), "run it again with --debug and report what it shows", running.events, 70)
        return 70
    if running.follows is None:
        _say(known.message, known.cure, running.events, known.exit_code)
    elif not isinstance(known, BadRequest | WorkFailed):  # every process finds these, and the first one tells
        _say(f"rank {running.follows}: {known.message}", known.cure, running.events, known.exit_code)
    return known.exit_code


_OUT_OF_DISK = ("No space left on device", "Disk quota exceeded", "os error 28")
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "Unable to allocate", "bad_alloc", "bad allocation")


def _known(error: BaseException) -> AictlError | None:
    """What a library or the system raised, as one of the family, or None for a bug."""
    text = str(error)
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(word in text for word in _OUT_OF_DISK):
        named = getattr(error, "filename", None)
        return MachineLacks(
            f"the disk is full{f' ({named})' if named else ''}",
            cure="free some space and run it again; `aictl artifact prune` removes what nothing needs",
        )
    if isinstance(error, MemoryError) or any(word in text for word in _OUT_OF_MEMORY):
        return MachineLacks(
            f"not enough memory: {text or type(error).__name__}", cure="a smaller batch or model needs less"
        )
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return MachineLacks(
            f"{error.filename or 'a file'}: {error.strerror}",
            cure="it must be readable, and a workspace writable, by this user",
        )
    if isinstance(error, FileNotFoundError) and not _has_working_folder():
        return NotFound("the folder you are in is no longer there", cure="cd to one that is")
    return None


def _has_working_folder() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _say(message: str, cure: str | None, events: str, code: int) -> None:
    with unheard(sys.stderr):
        _tell(message, cure, events, code)


def _tell(message: str, cure: str | None, events: str, code: int) -> None:
    if events == "jsonl":
        import json
        import time

        row = {"at": round(time.time(), 3), "event": "Failed", "message": message, "cure": cure, "exit_code": code}
        print(json.dumps(row, ensure_ascii=False), file=sys.stderr)  # noqa: T201
        return
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    red, faint, end = ("\x1b[1;31m", "\x1b[2m", "\x1b[0m") if colour else ("", "", "")
    if code in (130, 143):
        print(f"{red}{message}{end}{cure or ''}", file=sys.stderr)  # noqa: T201
        return
    print(f"{red}error:{end} {message}", file=sys.stderr)  # noqa: T201
    if cure:
        print(f"  {faint}→{end} {cure}", file=sys.stderr)  # noqa: T201
