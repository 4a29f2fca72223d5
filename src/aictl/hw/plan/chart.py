"""Time against accelerators, drawn from a plan."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aictl.core.events import Events
from aictl.core.extras import install_line

NAME = "plot.svg"


def draw(folder: Path, values: Mapping[str, Any], events: Events) -> None:
    """Write the chart of a plan's ``scaling``: days against accelerators, with those of perfect scaling.
    Without matplotlib the plan has none, which is said."""
    scaling = values["scaling"]
    if len(scaling) < 2:
        return
    if find_spec("matplotlib") is None:
        events.noted(f"without matplotlib the plan has no plot: {install_line('plots')}")
        return
    from aictl.measure.plot import Chart, Series, save

    counts, days = [one["count"] for one in scaling], [one["days"] for one in scaling]
    perfect = [days[0] * counts[0] / count for count in counts]
    unit, scale = ("days", 1.0) if days[-1] >= 1 else ("hours", 24.0)
    chart = Chart(
        title=f"{values['model']['parameters'] / 1e9:.3g}B parameters, {values['tokens'] / 1e9:.3g}B tokens",
        x_label=f"accelerators ({values['accelerator']['is']})",
        y_label=unit,
        series=[
            Series(
                "best layout found, with its MFU",
                counts,
                [scale * one for one in days],
                names=[f"{one['mfu']:.0%}" for one in scaling],
            ),
            Series("perfect scaling", counts, [scale * one for one in perfect], style="dashed", colour=6),
        ],
        x_log=True,
        y_log=True,
    )
    save(chart, folder / NAME)
