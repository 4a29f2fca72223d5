"""The charts of an evaluation: intervals, a matrix of confusions, a reliability diagram, a histogram."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aictl.artifacts.evaluation import number
from aictl.pages.drawing import LETTER, WIDTH, anchored, cut, line, names_width, rectangle, svg, words
from aictl.pages.markup import Markup, element

_ROW = 30.0
_CELL = 34.0  # of a matrix of few classes; of many it is as small as fits
_STEPS = (1, 2, 2.5, 5, 10)


class Reach(NamedTuple):
    """A difference with its interval, and the word for it."""

    name: str
    value: float
    low: float
    high: float
    said: str


def differences(rows: Sequence[Reach], label: str) -> Markup:
    """Each difference on a scale of its own, all with 0 at the same place."""
    begin, end = names_width([row.name for row in rows]), WIDTH - 150.0
    middle, reach = (begin + end) / 2, (end - begin) / 2 - LETTER * 8
    found: list[Markup | None] = [line(middle, 0, middle, len(rows) * _ROW, "mark")]
    for at, row in enumerate(rows):
        y = at * _ROW + _ROW / 2
        scale = reach / (max(abs(row.low), abs(row.high)) or 1)
        low, value, high = (middle + scale * one for one in (row.low, row.value, row.high))
        title = f"{row.name}: {number(row.value)}, {number(row.low)} to {number(row.high)}"
        found += [
            words(begin - 12, y + 4, cut(row.name), "end", "name"),
            rectangle(low, y - 3, max(high - low, 1.5), 6, "gone", title),
            element("circle", element("title", title), cx=f"{value:.1f}", cy=f"{y:.1f}", r=5, class_="dot"),
            words(low - 6, y + 4, number(row.low), "end", "axis"),
            words(high + 6, y + 4, number(row.high), "start", "axis"),
            words(WIDTH, y + 4, row.said, "end", "quiet"),
        ]
    return svg(len(rows) * _ROW, label, found)


def matrix(names: Sequence[str], counts: Mapping[tuple[str, str], int], label: str) -> Markup:
    """True classes are rows, predicted ones columns; how strong a cell's colour is, is its share of its row."""
    side = names_width(names)
    size = min(_CELL, (WIDTH - side) / len(names))
    head = 18.0 + LETTER * min(max(map(len, map(cut, names))), 14) * 0.71
    found: list[Markup | None] = []
    for row, true in enumerate(names):
        total = sum(counts.get((true, one), 0) for one in names) or 1
        y = head + row * size
        found.append(words(side - 12, y + size / 2 + 4, cut(true), "end", "name"))
        for column, predicted in enumerate(names):
            count = counts.get((true, predicted), 0)
            x = side + column * size
            title = f"{true} taken for {predicted}: {count:,} of {total:,}"
            place = {"x": f"{x + 0.75:.1f}", "y": f"{y + 0.75:.1f}", "width": f"{size - 1.5:.1f}"}
            kind = "kept" if true == predicted else "lost-cell"
            found.append(
                element(
                    "rect",
                    element("title", title),
                    **place,
                    height=f"{size - 1.5:.1f}",
                    class_=kind,
                    fill_opacity=f"{0.07 + 0.93 * count / total if count else 0.05:.2f}",
                )
            )
            if count and size >= LETTER * len(f"{count}") + 4:
                shown = "inside" if count / total > 0.55 else "number"
                found.append(words(x + size / 2, y + size / 2 + 4, f"{count}", "middle", shown))
    for column, predicted in enumerate(names):
        x, y = side + (column + 0.5) * size + 4, head - 6
        name = cut(predicted)[:14]
        found.append(
            element("text", name, x=f"{x:.1f}", y=f"{y:.1f}", transform=f"rotate(-45 {x:.1f} {y:.1f})", class_="axis")
        )
    return svg(head + len(names) * size + 4, label, found)


def reliability(bands: Sequence[Mapping[str, Any]], label: str) -> Markup:
    """The share that is right in each band of probability, beside what was promised; below, how many fall into it."""
    height, below, foot, side = 260.0, 60.0, 40.0, 60.0
    width = min(560.0, WIDTH - side)
    most = max((band["documents"] for band in bands), default=0) or 1
    found: list[Markup | None] = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = 8 + height * (1 - share)
        found += [line(side, y, side + width, y, "grid"), words(side - 8, y + 4, f"{share:g}", "end", "axis")]
        found.append(words(side + width * share, height + below + 44, f"{share:g}", "middle", "axis"))
    for band in bands:
        x, wide = side + width * band["low"], width * (band["high"] - band["low"])
        if not band["documents"]:
            continue
        kept = f"promised {band['confidence']:.1%} on average, {band['accuracy']:.1%} right"
        title = f"{band['documents']:,} documents, {kept}"
        tall = height * band["accuracy"]
        found.append(rectangle(x + 1, 8 + height - tall, wide - 2, tall, "kept", title))
        high = below * band["documents"] / most
        found.append(rectangle(x + 1, height + 20 + below - high, wide - 2, max(high, 1), "gone", title))
        found.append(
            element(
                "circle",
                element("title", title),
                cx=f"{side + width * band['confidence']:.1f}",
                cy=f"{8 + height - tall:.1f}",
                r=4,
                class_="promised",
            )
        )
    found += [
        line(side, 8 + height, side + width, 8, "mark"),
        line(side, 8 + height, side + width, 8 + height, "base"),
        line(side, height + 20 + below, side + width, height + 20 + below, "base"),
        words(side + width + 16, 24, "share that is right", "start", "quiet"),
        words(side + width + 16, 44, "dashed: as promised", "start", "said"),
        words(side + width + 16, height + below + 10, "documents", "start", "quiet"),
        words(side + width + 16, height + below + 44, "probability of the class", "start", "quiet"),
    ]
    return svg(height + below + foot + 16, label, found)


def histogram(values: Sequence[float], x_label: str, label: str, bins: int = 40) -> Markup:
    """How some numbers are distributed, on a plain axis; the furthest hundredth at either end is put with its
    neighbours, so that one document does not make the rest a line."""
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 100], ordered[-1 - len(ordered) // 100]
    if high <= low:
        low, high = low - 0.5, high + 0.5
    height, head, foot = 170.0, 10.0, 42.0
    counts = [0] * bins
    for value in ordered:
        counts[min(max(int((value - low) / (high - low) * bins), 0), bins - 1)] += 1
    wide, base = WIDTH / bins, head + height
    found: list[Markup | None] = []
    for tick in _ticks(low, high):
        x = WIDTH * (tick - low) / (high - low)
        found += [line(x, head, x, base, "grid"), words(x, base + 18, f"{tick:g}", anchored(x), "axis")]
    for at, count in enumerate(counts):
        tall = height * count / max(counts)
        begin = low + (high - low) * at / bins
        title = f"{begin:.3g} to {begin + (high - low) / bins:.3g}: {count:,} documents"
        found.append(rectangle(at * wide + 0.75, base - tall, wide - 1.5, tall, "kept", title))
    found += [line(0, base, WIDTH, base, "base"), words(WIDTH, base + 36, x_label, "end", "axis")]
    return svg(base + foot, label, found)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers within."""
    rough = (high - low) / 6
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * one for one in _STEPS if power * one >= rough)
    first = math.ceil(low / step)
    return [round(step * at, 12) for at in range(first, math.floor(high / step) + 1)]
