"""A curve in the characters of a terminal: two by four dots of braille in each, between two axes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby, pairwise
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

Point = tuple[float, float]

FAINT = "dim"
MARK = "◆"
MANY = 30  # then the lower half of the decades would be one row of a linear axis
_BLANK = 0x2800  # the braille of no dots
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # Unicode's bits, of a column from top to bottom
_LEAST = (20, 4)  # columns and rows below which there is nothing to be read


class Chart(NamedTuple):
    """``line`` is drawn through the means of what falls into a column of dots, ``marks`` are single points. Both are in
    order of x, and finite. A ``rough`` line is a measured one: it is faint, what it comes to is drawn over
    it, and its axis is logarithmic where the greatest value is ``MANY`` times the least. The chart fills the space that
    it is given."""

    line: Sequence[Point]
    marks: Sequence[Point] = ()
    colour: str = "cyan"
    mark_colour: str = "yellow"
    rough: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or 12
        points = [*self.line, *self.marks]
        if not points or width < _LEAST[0] or height < _LEAST[1]:
            return
        yield from self._rows(width, height, _range([x for x, _ in points], 0.0))

    def _rows(self, width: int, height: int, across: tuple[float, float]) -> Iterator[Text]:
        rows = height - 2  # the last two are the axis below and its numbers
        heights = _columns(self.line, across, width * 2)
        values = [*(y for y in heights if y is not None), *(y for _, y in self.marks)]
        logarithmic = self.rough and 0 < min(values) * MANY < max(values)
        scale = math.log10 if logarithmic else float
        low, high = _range([*map(scale, values)], 0.02)
        ticks = (_decades if logarithmic else _ticks)(low, high, max(3, rows // 3))
        named = {_place(high, low, value, rows): name for value, name in ticks}
        margin = max(map(len, named.values()))
        columns = width - margin - 1
        heights = [None if y is None else scale(y) for y in _columns(self.line, across, columns * 2)]
        over = _braille(_smooth(heights) if self.rough else heights, (low, high), rows)
        under = _braille(heights, (low, high), rows)
        marked = {(_place(high, low, scale(y), rows), _place(*across, x, columns)) for x, y in self.marks}
        for row in range(rows):
            text = Text(f"{named.get(row, ''):>{margin}}{'┤' if row in named else '│'}", style=FAINT, no_wrap=True)
            signs = [
                (MARK, self.mark_colour)
                if (row, column) in marked
                else (chr(_BLANK + smooth), self.colour)
                if smooth
                else (chr(_BLANK + dots), f"dim {self.colour}")
                if dots
                else ("┈" if row in named else " ", "dim")
                for column, (smooth, dots) in enumerate(zip(over[row], under[row], strict=True))
            ]
            for style, run in groupby(signs, key=lambda sign: sign[1]):
                text.append("".join(sign for sign, _ in run), style=style)
            yield text
        yield from _below(across, margin, columns)


def _below(across: tuple[float, float], margin: int, columns: int) -> Iterator[Text]:
    """The axis of x and its numbers, each under its tick as far as there is room."""
    axis, numbers = ["─"] * columns, [" "] * (margin + 1 + columns)
    free = 0
    for value, name in _ticks(*across, max(2, columns // 10), least=1.0):
        at = _place(*across, value, columns)
        start = min(max(free, margin + 1 + at - len(name) // 2), len(numbers) - len(name))
        if start < free:
            continue
        axis[at] = "┬"
        numbers[start : start + len(name)] = name
        free = start + len(name) + 1
    yield Text(" " * margin + "└" + "".join(axis), style=FAINT, no_wrap=True)
    yield Text("".join(numbers), style=FAINT, no_wrap=True)


def _range(values: Sequence[float], margin: float) -> tuple[float, float]:
    """The least and the greatest with a margin of their distance, and some distance where they are the same."""
    low, high = min(values), max(values)
    room = (high - low) * margin or (0.0 if high > low else abs(high) * 0.05 or 1.0)
    return low - room, high + room


def _place(first: float, last: float, value: float, count: int) -> int:
    """Which of ``count`` places between two values is nearest."""
    return min(count - 1, max(0, round((value - first) / (last - first) * (count - 1))))


def _columns(line: Sequence[Point], across: tuple[float, float], count: int) -> list[float | None]:
    """The mean of the line in each column, and what lies between where nothing was measured; None outside of it."""
    sums, counts = [0.0] * count, [0] * count
    for x, y in line:
        at = _place(*across, x, count)
        sums[at] += y
        counts[at] += 1
    found: list[float | None] = [total / number if number else None for total, number in zip(sums, counts, strict=True)]
    known = [at for at, number in enumerate(counts) if number]
    for left, right in pairwise(known):
        begin, end = sums[left] / counts[left], sums[right] / counts[right]
        for at in range(left + 1, right):
            found[at] = begin + (end - begin) * (at - left) / (right - left)
    return found


def _smooth(heights: Sequence[float | None]) -> list[float | None]:
    """The mean around each column."""
    known = [at for at, value in enumerate(heights) if value is not None]
    values = [value for value in heights if value is not None]
    sums = list(accumulate(values, initial=0.0))
    found: list[float | None] = [None] * len(heights)
    reach = len(values) // 30
    for place, at in enumerate(known):
        near = min(reach, place, len(values) - 1 - place)
        found[at] = (sums[place + near + 1] - sums[place - near]) / (2 * near + 1)
    return found


def _braille(heights: Sequence[float | None], span: tuple[float, float], rows: int) -> list[list[int]]:
    """The dots of each cell, joined from one column to the next."""
    low, high = span
    cells = [[0] * (len(heights) // 2) for _ in range(rows)]
    before: int | None = None
    for column, value in enumerate(heights):
        if value is None:
            before = None
            continue
        dot = _place(high, low, value, rows * 4)
        first = dot if before is None else before + (dot > before) - (dot < before)
        for one in range(min(first, dot), max(first, dot) + 1):
            cells[one // 4][column // 2] |= _DOTS[column % 2][one % 4]
        before = dot
    return cells


def _ticks(low: float, high: float, about: int, least: float = 0.0) -> Iterator[tuple[float, str]]:
    """Round numbers between two values, about so many and ``least`` apart, and how they are written."""
    rough = max(least, (high - low) / about)
    power = math.floor(math.log10(rough))
    step = next(one for one in (1, 2, 5, 10) if one * 10.0**power >= rough * 0.999) * 10.0**power
    digit = math.floor(math.log10(step) + 1e-9)
    for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1):
        yield number * step, _written(number * step, digit, max(abs(low), abs(high)))


def _decades(low: float, high: float, about: int) -> Iterator[tuple[float, str]]:
    """Powers of ten between two logarithms, and their double and fivefold where there is room."""
    apart = max(1, round((high - low) / about))
    factors = (1, 2, 5) if (high - low) * 2 < about else (1,)
    for power in range(math.floor(low), math.ceil(high) + 1):
        for value in (factor * 10.0**power for factor in factors if power % apart == 0):
            if low <= math.log10(value) <= high:
                yield math.log10(value), _written(value, power, 10**high)


def _written(value: float, digit: int, greatest: float) -> str:
    """A number down to the power of ten ``digit``."""
    if value == 0:
        return "0"
    if digit >= -4 and greatest < 1e6:
        return f"{value:,.{max(0, -digit)}f}"
    mantissa, _, exponent = f"{value:.{max(0, math.floor(math.log10(abs(value)) + 1e-9) - digit)}e}".partition("e")
    return f"{mantissa}e{int(exponent)}"
