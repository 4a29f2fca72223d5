"""Charts of lines and points as SVG, in one style for every verb that draws.

The same chart gives the same bytes: no date, no random names. Text stays text, so that it can be
searched and read out, in whatever sans-serif font the reader has. Colours are those of Okabe and Ito,
which colour-blind people can tell apart; every series has a marker of its own as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"
INK, FAINT, GRID = "#24292f", "#57606a", "#d8dee4"
INCHES = (8.0, 5.0)


class Series(NamedTuple):
    """Points under one label, in the order in which a line joins them. ``colour`` numbers the palette; left out, it
    is the series' place in the chart. ``names`` are written beside the points."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    style: Literal["line", "points", "marked", "dashed"] = "marked"
    colour: int | None = None
    names: Sequence[str] = ()


class Chart(NamedTuple):
    """What is drawn. An axis is logarithmic where its numbers span powers of ten, and its unit stands in its
    label; ``bytes_on_x`` writes powers of two as KiB and MiB. ``note`` stands below in small letters."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    x_log: bool = False
    y_log: bool = False
    bytes_on_x: bool = False
    note: str = ""


def save(charts: Chart | Sequence[Chart], path: Path) -> None:
    """Write a chart, or several side by side, as an SVG file."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    several = [charts] if isinstance(charts, Chart) else list(charts)
    with mpl.rc_context(dict(_style())):
        width = INCHES[0] if len(several) == 1 else 0.72 * INCHES[0] * len(several)
        figure = Figure(figsize=(width, INCHES[1]), layout="constrained")
        for axes, chart in zip(figure.subplots(1, len(several), squeeze=False)[0], several, strict=True):
            _draw(axes, chart)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None, "Title": several[0].title})


def _style() -> Mapping[str, object]:
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "aictl",
        "figure.constrained_layout.w_pad": 0.12,
        "figure.constrained_layout.h_pad": 0.12,
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": INK,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.titlesize": 12,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 12,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": GRID,
        "grid.linewidth": 0.7,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "lines.linewidth": 1.8,
        "lines.markersize": 5,
    }


def _draw(axes: Any, chart: Chart) -> None:
    for number, series in enumerate(chart.series):
        at = number if series.colour is None else series.colour
        colour = COLOURS[at % len(COLOURS)]
        marker = "" if series.style in ("line", "dashed") else MARKERS[at % len(MARKERS)]
        line = {"points": "none", "dashed": "--"}.get(series.style, "-")
        gid = f"series-{number}"
        axes.plot(series.x, series.y, linestyle=line, marker=marker, color=colour, label=series.label, gid=gid)
        for x, y, name in zip(series.x, series.y, series.names, strict=False):
            axes.annotate(name, (x, y), xytext=(5, 4), textcoords="offset points", fontsize=8, color=FAINT)
    if chart.x_log:
        _logarithmic(axes, "x", 2 if chart.bytes_on_x else 10)
    if chart.y_log:
        _logarithmic(axes, "y", 10)
    if chart.bytes_on_x:
        axes.xaxis.set_major_formatter(lambda value, _: size(value))
    axes.set_title(chart.title)
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    if chart.note:
        axes.annotate(
            chart.note, (1, 0), (0, -44), "axes fraction", "offset points", ha="right", fontsize=8, color=FAINT
        )
    if any(series.label for series in chart.series):
        axes.legend()


def _logarithmic(axes: Any, which: str, base: int) -> None:
    """A logarithmic axis with plain numbers; within two powers of ten, 2 and 5 are written too."""
    from matplotlib.ticker import LogLocator, NullFormatter

    getattr(axes, f"set_{which}scale")("log", base=base)
    axis = getattr(axes, f"{which}axis")
    low, high = axis.get_view_interval()
    if base == 10:
        axis.set_major_locator(LogLocator(10, (1.0, 2.0, 5.0) if high / low < 100 else (1.0,)))
        axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    else:
        axis.set_major_locator(LogLocator(base, numticks=7))
    axis.set_minor_formatter(NullFormatter())


def size(value: float) -> str:
    """A power of two of bytes, as on an axis: ``64 KiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:g} {unit}"
        value /= 1024
    return ""
