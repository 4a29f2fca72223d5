"""Charts as SVG within a page: they take their colours from its style sheet, and so are seen by day and by night.

Each is drawn on ``WIDTH`` units and shown as wide as there is room. What a bar stands for is said beside it or, by its
``title``, when it is pointed at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from aictl.artifacts.quantity import percent
from aictl.pages.drawing import LETTER, WIDTH, anchored, cut, line, names_width, rectangle, svg, words
from aictl.pages.markup import Markup, element

_ROW, _BAR = 26.0, 14.0  # heights of a row of bars and of its bar
_DIGIT = 8.6  # the width of a bold digit, nearly
_TITLE_LETTERS = 200  # of it that are said when it is pointed at


class Level(NamedTuple):
    """What was left after a step, and what of it was left before."""

    name: str
    left: int
    before: int


class Bar(NamedTuple):
    """A row of a bar chart."""

    name: str
    value: int
    said: str = ""


class Band(NamedTuple):
    """A bar of a histogram: how many lie from one number to below another."""

    low: int
    below: int
    number: int


def waterfall(levels: Sequence[Level], label: str) -> Markup:
    """What each of some steps left of the first: what is gone after it is seen as the lighter end of its bar."""
    most = max((level.before for level in levels), default=0) or 1
    column = names_width([level.name for level in levels])
    losses = [_lost(level) for level in levels]
    numbers = _DIGIT * len(f"{most:,}") + 16
    room = WIDTH - column - numbers - LETTER * max(map(len, losses), default=0) - 24
    rows: list[Markup | None] = []
    for at, (level, said) in enumerate(zip(levels, losses, strict=True)):
        top = at * _ROW
        if said:
            title = f"{level.name}: {level.before - level.left:,} dropped"
            rows.append(rectangle(column, top + 6, room * level.before / most, _BAR, "gone", title))
        rows += [
            words(column - 12, top + 17, cut(level.name), "end", "name"),
            rectangle(column, top + 6, room * level.left / most, _BAR, "kept", f"{level.name}: {level.left:,} left"),
            words(column + room + numbers, top + 17, f"{level.left:,}", "end", "number"),
            words(column + room + numbers + 14, top + 17, said, "start", "lost"),
        ]
    return svg(len(levels) * _ROW, label, rows)


def _lost(level: Level) -> str:
    gone = level.before - level.left
    return f"−{gone:,} ({percent(gone / level.before)})" if gone else ""


def bars(rows: Sequence[Bar], label: str) -> Markup:
    """How large some things are beside each other."""
    most = max((row.value for row in rows), default=0) or 1
    column = names_width([row.name for row in rows])
    room = WIDTH - column - LETTER * max((len(row.said) for row in rows), default=0) - 10
    found: list[Markup | None] = []
    for at, row in enumerate(rows):
        top, width = at * _ROW, max(room * row.value / most, 1.5 if row.value else 0)
        found += [
            words(column - 12, top + 17, cut(row.name), "end", "name"),
            rectangle(column, top + 6, width, _BAR, "kept", f"{row.name[:_TITLE_LETTERS]}: {row.said}"),
            words(column + width + 8, top + 17, row.said, "start", "quiet"),
        ]
    return svg(len(rows) * _ROW, label, found)


def histogram(bands: Sequence[Band], marks: Sequence[tuple[str, int]], label: str) -> Markup:
    """How some numbers are distributed, on a logarithmic axis: the area of a bar, not its height, is how many there
    are. ``marks`` are numbers that stand out, with their names."""
    height, foot, head = 200.0, 26.0, 48.0
    low, high = math.log10(max(bands[0].low, 1)), math.log10(max(bands[-1].below, 2))
    scale = WIDTH / max(high - low, 0.05)

    def place(number: float) -> float:
        return min(max((math.log10(max(number, 1)) - low) * scale, 0.0), WIDTH)

    wide = [max(place(band.below) - place(band.low), 0.5) for band in bands]
    most = max(band.number / width for band, width in zip(bands, wide, strict=True)) or 1
    base = head + height
    found: list[Markup | None] = []
    for number, is_named in _ticks(10**low, 10**high):
        at = place(number)
        found.append(line(at, head, at, base, "grid"))
        if is_named:
            found.append(words(at, base + 18, f"{number:,}", anchored(at), "axis"))
    for band, width in zip(bands, wide, strict=True):
        tall = height * band.number / width / most
        title = f"{band.low:,} to {band.below - 1:,}: {band.number:,} documents"
        found.append(rectangle(place(band.low) + 0.5, base - tall, max(width - 1, 0.5), tall, "kept", title))
    free = [-math.inf, -math.inf]  # where the last name in each of two rows ends
    for name, number in marks:
        at, said = place(number), f"{name} {number:,}"
        begin = at - LETTER * len(said) * {"start": 0, "middle": 0.5, "end": 1}[anchored(at)]
        row = 0 if begin > free[0] else 1
        free[row] = begin + LETTER * len(said) + 12
        found.append(line(at, head - 10 - 18 * row, at, base, "mark"))
        found.append(words(at, head - 16 - 18 * row, said, anchored(at), "said"))
    found.append(line(0, base, WIDTH, base, "base"))
    return svg(base + foot, label, found)


def parts(rows: Sequence[Bar], label: str) -> Markup:
    """How a whole is divided, the largest first."""
    total = sum(row.value for row in rows) or 1
    at = 0.0
    found: list[Markup | None] = []
    for number, row in enumerate(rows):
        width = WIDTH * row.value / total
        said = f"{row.name[:_TITLE_LETTERS]}: {row.said}"
        found.append(rectangle(at, 0, max(width - 1.5, 0.5), 26, f"part{min(number, 5)}", said))
        if width > LETTER * len(said) + 20:
            found.append(words(at + 10, 17.5, said, "start", "inside"))
        at += width
    return svg(26, label, found)


def curve(points: Sequence[tuple[int, int]], label: str, names: tuple[str, str]) -> Markup:
    """How one number grows with another, both on logarithmic axes."""
    height, foot, side, head = 190.0, 40.0, 70.0, 8.0
    lows = [math.log10(max(min(one[axis] for one in points), 1)) for axis in (0, 1)]
    highs = [math.log10(max(2, *(one[axis] for one in points))) for axis in (0, 1)]
    spans = [max(high - low, 0.05) for low, high in zip(lows, highs, strict=True)]

    def place(number: int, axis: int) -> float:
        share = (math.log10(max(number, 1)) - lows[axis]) / spans[axis]
        return side + share * (WIDTH - side) if axis == 0 else head + (1 - share) * height

    found: list[Markup | None] = []
    for number, is_named in _ticks(10 ** lows[0], 10 ** highs[0]):
        at = place(number, 0)
        if is_named:
            found += [line(at, head, at, head + height, "grid")]
            found += [words(at, head + height + 18, f"{number:,}", anchored(at), "axis")]
    for number, is_named in _ticks(10 ** lows[1], 10 ** highs[1]):
        at = place(number, 1)
        if is_named:
            found += [line(side, at, WIDTH, at, "grid"), words(side - 8, at + 4, f"{number:,}", "end", "axis")]
    path = " ".join(f"{place(x, 0):.1f},{place(y, 1):.1f}" for x, y in points)
    found.append(element("polyline", points=path, class_="curve"))
    for x, y in points:
        title = element("title", f"{y:,} {names[1]} of {x:,} {names[0]}")
        found.append(element("circle", title, cx=f"{place(x, 0):.1f}", cy=f"{place(y, 1):.1f}", r=3, class_="dot"))
    found.append(line(side, head + height, WIDTH, head + height, "base"))
    found.append(words(WIDTH, head + height + 36, names[0], "end", "axis"))
    return svg(head + height + foot, label, found)


def _ticks(low: float, high: float) -> Iterator[tuple[int, bool]]:
    """Whole numbers to be marked on a logarithmic axis, and whether each is worth its name: powers of ten, and twice
    and five times of them where the axis is short."""
    is_short = high / max(low, 1) < 300
    for power in range(math.floor(math.log10(max(low, 1))), math.ceil(math.log10(high)) + 1):
        for times in (1, 2, 5):
            number = times * 10**power
            if low <= number <= high:
                yield number, times == 1 or is_short
