"""stdout and stderr when they were closed before we began, or when whoever read them has gone."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


def begin() -> None:
    """A closed stdout or stderr (``>&-``) takes what is written and loses it; a name that is no UTF-8
    comes out as the bytes it is."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  (for as long as we run)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")


@contextmanager
def unheard(stream: TextIO) -> Iterator[None]:
    """Whoever reads the stream may have seen enough and gone: then the rest is left unsaid."""
    try:
        yield
    except BrokenPipeError:
        lost(stream)


def lost(stream: TextIO) -> None:
    """Nobody hears the stream any more: what is still buffered for them must not fail again when Python ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
