"""Samples of something that changes: drawn in place on a terminal, a line each anywhere else."""

from __future__ import annotations

import json
import os
import sys

from aictl.cli.report import lines
from aictl.cli.values import tabbed
from aictl.core.answer import Document, Samples
from aictl.core.errors import Interrupted


def follow(samples: Samples, *, as_json: bool) -> int:
    """Show each sample as it comes. Ctrl-C is how a person ends it, so nothing is said of that; the
    exit status is 130 all the same."""
    terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    try:
        if terminal and not as_json:
            _drawn(samples)
        else:
            _written(samples, as_json)
    except Interrupted as error:
        return error.exit_code
    finally:
        if close := getattr(samples.looks, "close", None):
            close()
    return 0


def _written(samples: Samples, as_json: bool) -> None:
    heading = True
    for look in samples.looks:
        if as_json or look.table is None:
            json.dump(look.value, sys.stdout, ensure_ascii=False)
            sys.stdout.write("\n")
        else:
            tabbed(look.table, heading=heading)
            heading = False
        sys.stdout.flush()


def _drawn(samples: Samples) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)

    def picture(look: Document) -> Text:
        colour = not console.no_color
        return Text.from_ansi("\n".join(lines(look.sections, console.width, colour=colour)), no_wrap=True)

    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for look in samples.looks:
            live.update(picture(look), refresh=True)
