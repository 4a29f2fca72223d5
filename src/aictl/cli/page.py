"""The help pages of the root and of the groups, drawn without rich: it would cost more time than
everything else that such a page takes."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

# The whole product in one line; the README and the tutorial follow it.
SPINE = "raw files ─ data prep ▶ dataset ─ train ▶ checkpoint ─ export ▶ onnx ─ optimize ▶ serve ▶ app"

# Where the commands stand on the root page. A plugin's new group goes to the last section.
SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("The chain", ("data", "train", "model", "finetune", "evaluate", "export", "optimize", "serve", "generate", "app")),
    ("The workspace", ("init", "artifact", "config", "plugin")),
    ("The machine", ("hw",)),
)
OTHERS = "From plugins"


class Row(NamedTuple):
    """One line of a page: a word, what it is, and the words below it."""

    name: str
    text: str
    below: Sequence[str] = ()


def sections(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """The rows of the root page under the headings where they belong."""
    by_name = {row.name: row for row in rows}
    known = {name for _, names in SECTIONS for name in names}
    found = [(title, [by_name[name] for name in names if name in by_name]) for title, names in SECTIONS]
    found.append((OTHERS, [row for row in rows if row.name not in known]))
    return [(title, inside) for title, inside in found if inside]


def page(usage: str, about: str, parts: Sequence[tuple[str, Sequence[Row]]], footer: str = "") -> str:
    """A help page: boxes and colour on a terminal, bare text anywhere else."""
    terminal = sys.stdout.isatty()
    colour = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    width = max(48, min(shutil.get_terminal_size().columns if terminal else 100, 110))
    paint = _Paint(colour)
    lines = ["", f" {paint.strong('Usage:')} {usage}", ""]
    lines += [f" {line}" for line in wrap(about, width - 2)] + [""]
    column = max((len(row.name) for _, rows in parts for row in rows), default=0)
    for title, rows in parts:
        lines += _box(title, rows, column, width, paint) if terminal else _list(title, rows, column, width)
    if footer:
        lines += [*(f" {paint.faint(line)}" for line in wrap(footer, width - 2)), ""]
    return "\n".join(lines)


class _Paint:
    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def strong(self, text: str) -> str:
        return self._wrap("1", text)

    def word(self, text: str) -> str:
        return self._wrap("1;36", text)

    def faint(self, text: str) -> str:
        return self._wrap("2", text)


def _box(title: str, rows: Sequence[Row], column: int, width: int, paint: _Paint) -> list[str]:
    lines = [paint.faint("╭─ ") + paint.strong(title) + paint.faint(" " + "─" * (width - len(title) - 5) + "╮")]
    for row in rows:
        for number, (text, faint) in enumerate(_texts(row, width - column - 6)):
            head = paint.word(row.name.ljust(column)) if number == 0 else " " * column
            body = paint.faint(text) if faint else text
            lines.append(
                paint.faint("│ ") + head + "  " + body + " " * (width - column - 6 - len(text)) + paint.faint(" │")
            )
    return [*lines, paint.faint("╰" + "─" * (width - 2) + "╯")]


def _list(title: str, rows: Sequence[Row], column: int, width: int) -> list[str]:
    lines = [f" {title}:"]
    for row in rows:
        for number, (text, _) in enumerate(_texts(row, width - column - 5)):
            lines.append(f"   {row.name if number == 0 else '':<{column}}  {text}".rstrip())
    return [*lines, ""]


def _texts(row: Row, width: int) -> list[tuple[str, bool]]:
    texts = [(line, False) for line in wrap(row.text, width)]
    return texts + [(line, True) for line in wrap(" · ".join(row.below), width) if line]


def wrap(text: str, width: int, measure: Callable[[str], int] = len) -> list[str]:
    """Lines of at most ``width``, as ``measure`` counts it, whose words are whole. textwrap would do,
    and import more than we do."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            if line and measure(line) + 1 + measure(word) > width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines
