"""Records as they come: lines of JSON for another program; for a person titles and text, folded to the window."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from itertools import islice

from aictl.cli.table import cells_of
from aictl.core.answer import Item, Passage, Records

MARGIN = "  "
TAB = "    "
LEAST_ROWS, SHARE = 5, 3  # an item takes a third of the window's height, and some rows at least
TITLE, FAINT, LABEL, MARK, END = "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[1;31m", "\x1b[0m"


def records(answer: Records, *, as_json: bool) -> int:
    """Show every item as it comes, and return the exit status."""
    terminal = sys.stdout.isatty() and not as_json
    shown = False
    items = answer.items
    try:
        while True:
            try:
                item = next(items)
            except StopIteration as ended:
                return int(ended.value or 0)
            if terminal:
                _draw(item, answer.whole, first=not shown)
            else:
                sys.stdout.write(json.dumps(item.value, ensure_ascii=False, separators=(",", ":")) + "\n")
            sys.stdout.flush()
            shown = True
    finally:
        items.close()


def _draw(item: Item, whole: bool, *, first: bool) -> None:
    window = shutil.get_terminal_size()
    colour = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    rows = None if whole else max(LEAST_ROWS, window.lines // SHARE)
    found = lines(item, window.columns, rows, colour=colour)
    sys.stdout.write("\n".join([*([] if first else [""]), *found]) + "\n")


def lines(item: Item, width: int, rows: int | None, *, colour: bool) -> list[str]:
    """An item as lines of at most ``width`` columns, at most ``rows`` of them from its text."""
    about = _painted(item.about, FAINT, colour)
    found = [f"{_painted(_printable(item.title), TITLE, colour)}  {about}".rstrip()]
    column = max((len(passage.label) for passage in item.passages), default=0)
    column += 2 if column else 0
    room = max(width - len(MARGIN) - column, 20)
    left = rows
    for passage in item.passages:
        folded = fold(passage, room)
        if left is None:
            taken: Sequence[list[tuple[str, bool]]] = list(folded)
        else:
            taken = list(islice(folded, left + 1))
        for number, runs in enumerate(taken[:left]):
            head = passage.label if number == 0 else ""
            text = "".join(_painted(run, MARK, colour and marked) for run, marked in runs)
            found.append(f"{MARGIN}{_painted(head, LABEL, colour)}{' ' * (column - len(head))}{text}".rstrip())
        if left is not None:
            left -= len(taken)
            if left < 0:
                found[-1] = MARGIN + " " * column + _painted("…", FAINT, colour)
                break
    return found


def fold(passage: Passage, width: int) -> Iterator[list[tuple[str, bool]]]:
    """The text of a passage in rows that fit: runs of it, and whether each is marked. Its line ends stay, and
    a line that is too long goes on in the next row, at a space where there is one."""
    begin = 0
    text = passage.text.rstrip("\n")
    while True:
        end = text.find("\n", begin)
        end = len(text) if end < 0 else end
        for low, high in _rows(text, begin, end, width):
            yield list(_runs(text, low, high, passage.marks))
        if end == len(text):
            return
        begin = end + 1


def _rows(text: str, begin: int, end: int, width: int) -> Iterator[tuple[int, int]]:
    """Where the rows of one line begin and end."""
    while True:
        stop, room, space = begin, width, -1
        while stop < end:
            room -= len(TAB) if text[stop] == "\t" else cells_of(text[stop])
            if room < 0:
                break
            if text[stop] == " ":
                space = stop
            stop += 1
        if stop == end:
            yield begin, end
            return
        cut = space + 1 if space > begin else max(stop, begin + 1)
        yield begin, cut
        begin = cut


def _runs(text: str, low: int, high: int, marks: Sequence[tuple[int, int]]) -> Iterator[tuple[str, bool]]:
    place = low
    for start, end in marks:
        if end <= place or start >= high:
            continue
        if start > place:
            yield _printable(text[place:start]), False
        yield _printable(text[max(start, place) : min(end, high)]), True
        place = min(end, high)
    if place < high:
        yield _printable(text[place:high]), False


def _printable(text: str) -> str:
    """Text that cannot steer the terminal, nor turn round what stands beside it."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else TAB if one == "\t" else "\ufffd" for one in text)


def _painted(text: str, code: str, colour: bool) -> str:
    return f"{code}{text}{END}" if colour and text else text
