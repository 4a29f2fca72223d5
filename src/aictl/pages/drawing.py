"""What charts are drawn with: rectangles, words and lines that take their colours from the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence

from aictl.pages.markup import Markup, element

WIDTH = 900.0  # units that a chart is drawn on, however wide it is shown
LETTER = 7.6  # the width of a letter, nearly
NAME_LETTERS = 34  # of a row's name that are shown


def svg(height: float, label: str, children: Sequence[Markup | None]) -> Markup:
    """A chart as high as ``height``; ``label`` says to those who cannot see it what it is."""
    box = f"0 0 {WIDTH:g} {height:g}"
    drawn = element("svg", *children, viewBox=box, role="img", aria_label=label, class_="chart")
    return element("div", drawn, class_="scroll")


def rectangle(x: float, y: float, width: float, height: float, kind: str, title: str) -> Markup:  # noqa: PLR0917
    """``title`` is said when it is pointed at; ``kind`` is its class in the style sheet."""
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{width:.1f}", "height": f"{height:.1f}"}
    return element("rect", element("title", title), rx="1.5", class_=kind, **place)


def words(x: float, y: float, said: str, anchor: str, kind: str) -> Markup | None:
    """Text that begins, is centred or ends at a place."""
    return element("text", said, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, class_=kind) if said else None


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    ends = {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}
    return element("line", class_=kind, **ends)


def anchored(x: float) -> str:
    """How text at a place stays within the chart."""
    return "start" if x < 40 else "end" if x > WIDTH - 40 else "middle"


def names_width(names: Sequence[str]) -> float:
    """How much room the names of rows take."""
    return min(max((len(cut(name)) for name in names), default=0), NAME_LETTERS) * LETTER + 24


def cut(name: str) -> str:
    """A row's name as it is shown."""
    return name if len(name) <= NAME_LETTERS else name[: NAME_LETTERS - 1] + "…"
