"""Time against loss, with sizes, of everything that was tried and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aictl.artifacts.quantity import size
from aictl.core.events import Events
from aictl.core.extras import install_line
from aictl.measure.plot import Chart, Series, save

NAME = "plot.svg"
_MILLI = 1e3


def draw(folder: Path, facts: Mapping[str, Any], events: Events) -> None:
    """Write the chart of a front. Without matplotlib it has none, which is said."""
    if find_spec("matplotlib") is None:
        events.noted(f"without matplotlib the front has no plot: {install_line('plots')}")
        return
    # Only what was judged on the same documents can stand in one picture.
    timed = [one for one in facts["models"] if one["cpu_s"] is not None and one["documents"] == facts["documents"]]
    shown = [one for one in timed if one["outcome"] in ("parent", "front")]
    # A name each in the legend: beside the points, which often lie close together, they would cover each other.
    series = [_series(f"{one['name'] or facts['parent']}, {size(one['size_bytes'])}", [one]) for one in shown]
    beaten = _series("beaten", [one for one in timed if one["outcome"] == "beaten"])
    unit = "%" if facts["is_relative"] else "points"
    save(
        Chart(
            title=f"{facts['parent']}: what it can be made into",
            x_label="CPU time of a token or an input, ms",
            y_label=f"loss of {facts['measure']}, {unit}",
            series=[*series, *([beaten] if beaten.x else [])],
            x_log=True,
            note=f"judged on {facts['documents']:,} documents of {facts['dataset']}; best by {facts['target']}: "
            f"{facts['chosen']}",
        ),
        folder / NAME,
    )


def _series(label: str, models: Sequence[Mapping[str, Any]]) -> Series:
    return Series(label, [_MILLI * one["cpu_s"] for one in models], [100 * one["loss"] for one in models], "points")
