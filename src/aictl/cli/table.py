"""A table drawn to the width of a terminal. No word of it is ever broken: a name or an id that is
copied off the screen has to be whole."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from aictl.cli.page import wrap
from aictl.core.answer import Table

GAP = 2
READABLE = 24  # characters of a text that is cut: for fewer, a column less important makes room
_CODES = {"green": "32", "yellow": "33", "red": "31", "cyan": "36", "dim": "2"}


def draw(table: Table, rows: Sequence[Sequence[str]], width: int, *, colour: bool) -> str:
    """The table as lines of at most ``width`` columns where its words allow it. ``rows`` are its
    values as they are shown.

    A table that is too wide leaves out what it can spare and cuts its longest text short, if it says
    which those are; any other goes on in the line below, column by column.
    """
    rows = [[printable(text) for text in row] for row in rows]
    kept, widths = _fitted(table, rows, width)
    lines = [_line([table.columns[at] for at in kept], widths, ["1"] * len(kept) if colour else [])]
    lines.append(_line(["─" * wide for wide in widths], widths, ["2"] * len(kept) if colour else []))
    styles = [table.styles.get(table.columns[at], {}) for at in kept]
    for row in rows:
        codes = [_CODES.get(style.get(row[at], ""), "") for at, style in zip(kept, styles, strict=True)]
        cells = [
            [_cut(row[at], wide)] if table.columns[at] == table.cut else wrap(row[at], wide, cells_of)
            for at, wide in zip(kept, widths, strict=True)
        ]
        for number in range(max(map(len, cells))):
            texts = [cell[number] if number < len(cell) else "" for cell in cells]
            lines.append(_line(texts, widths, codes if colour else []))
    return "\n".join(lines)


def cells_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def _fitted(table: Table, rows: Sequence[Sequence[str]], width: int) -> tuple[list[int], list[int]]:
    """The columns that stay, and how wide each may be."""
    texts = [[name, *(row[at] for row in rows)] for at, name in enumerate(table.columns)]
    wanted = [max(map(cells_of, column)) for column in texts]
    cut = table.columns.index(table.cut) if table.cut else None
    least = [max(cells_of(word) for text in column for word in text.split() or [""]) for column in texts]
    if table.spare:
        least = list(wanted)  # what can leave out a column breaks no line
    if cut is not None:
        least[cut] = min(wanted[cut], READABLE)
    kept = list(range(len(texts)))
    for name in table.spare:
        if _total([least[at] for at in kept]) > width:
            kept.remove(table.columns.index(name))
    widths = {at: wanted[at] for at in kept}
    if cut is not None:
        least[cut] = cells_of(table.columns[cut])
    while _total(list(widths.values())) > width:
        widest = max(widths, key=lambda at: (widths[at] > least[at], widths[at]))
        if widths[widest] <= least[widest]:
            break
        widths[widest] -= 1
    return kept, list(widths.values())


def printable(text: str) -> str:
    """A text on one line, without what would steer the terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _cut(text: str, width: int) -> str:
    """The head of a text, with a mark where something is left out."""
    if cells_of(text) <= width:
        return text
    while cells_of(text) > width - 1:
        text = text[:-1]
    return text.rstrip() + "…"


def _line(texts: Sequence[str], widths: Sequence[int], codes: Sequence[str]) -> str:
    padded = [text + " " * (wide - cells_of(text)) for text, wide in zip(texts, widths, strict=True)]
    padded[-1] = texts[-1]
    if codes:
        padded = [f"\x1b[{code}m{text}\x1b[0m" if code else text for text, code in zip(padded, codes, strict=True)]
    return (" " * GAP).join(padded).rstrip()
