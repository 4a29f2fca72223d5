"""A report as a person reads it: its sections one below the other, drawn to the terminal's width."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from aictl.cli.page import wrap
from aictl.cli.table import cells_of, draw
from aictl.cli.values import cell
from aictl.core.answer import Section, Table

MARGIN = "  "
LEAST = 20  # the width that a value has at least
IN_A_LOG = 110  # how wide a report is where no terminal says


def report(sections: Sequence[Section]) -> str:
    """The sections for whoever reads stdout now."""
    terminal = sys.stdout.isatty()
    width = IN_A_LOG
    if terminal:
        try:
            width = os.get_terminal_size(sys.stdout.fileno()).columns or IN_A_LOG
        except OSError:
            width = shutil.get_terminal_size().columns
    colour = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return "\n".join(lines(sections, width, colour=colour))


def lines(sections: Sequence[Section], width: int, *, colour: bool) -> list[str]:
    """The lines of a report, none of them wider than ``width`` where its words allow it."""
    found: list[str] = []
    before = False  # whether a table came before: it stands apart from what is around it
    for section in sections:
        if not section.content:
            continue
        table = isinstance(section.content, Table)
        if found and (section.title or table or before):
            found.append("")
        before = table
        if section.title:
            found.append(f"\x1b[1m{section.title}\x1b[0m" if colour else section.title)
        if isinstance(section.content, Table):
            found += _table(section.content, width - len(MARGIN), colour=colour)
        else:
            found += _pairs(section.content, width - len(MARGIN), colour=colour)
    return found


def _table(table: Table, width: int, *, colour: bool) -> list[str]:
    rows = [[cell(value) for value in row] for row in table.rows]
    return [MARGIN + line for line in draw(table, rows, width, colour=colour).splitlines()]


def _pairs(pairs: Mapping[str, Any], width: int, *, colour: bool) -> list[str]:
    """Names and their values side by side; a long value goes on below itself, and one whose name leaves no room for it
    begins there."""
    widths = {name: cells_of(name) for name in pairs}
    room = width - 2 - LEAST
    column = max((taken for taken in widths.values() if taken <= room), default=0)
    found = []
    for name, value in pairs.items():
        said = wrap(cell(value), max(width - column - 2, LEAST), cells_of)
        head = f"\x1b[2m{name}\x1b[0m" if colour else name
        if widths[name] > room:
            found.append(f"{MARGIN}{head}")
        elif said:
            found.append(f"{MARGIN}{head}{' ' * (column - widths[name])}  {said.pop(0)}".rstrip())
        found += [f"{MARGIN}{' ' * column}  {line}".rstrip() for line in said]
    return found
