"""The curves of a run, drawn from its history: the losses, and the learning rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aictl.artifacts.checkpoint import CURVES
from aictl.core.events import Events
from aictl.core.extras import install_line

_POINTS = 400  # more of them than that cannot be told apart in the picture


def draw(rows: Sequence[Mapping[str, Any]], folder: Path, events: Events) -> None:
    """Write the curves into ``folder``. Without matplotlib there are none, which is said."""
    if find_spec("matplotlib") is None:
        events.noted(f"without matplotlib there are no curves: {install_line('plots')}")
        return
    from aictl.measure.plot import Chart, Series, save

    steps = [row for row in rows if "loss" in row]
    evaluations = [row for row in rows if "held_out_loss" in row]
    every = max(1, -(-len(steps) // _POINTS))
    # Each point is the mean of the steps up to it, so that what is not drawn is not lost.
    means = [steps[start : start + every] for start in range(0, len(steps), every)]
    label = "in training" if every == 1 else f"in training, mean of {every} steps"
    losses = Chart(
        title="Loss",
        x_label="step",
        y_label="nats per target",
        series=[
            Series(label, _last(means, "step"), [sum(r["loss"] for r in part) / len(part) for part in means], "line"),
            Series(
                "held out",
                [row["step"] for row in evaluations],
                [row["held_out_loss"] for row in evaluations],
                "marked",
            ),
        ],
    )
    rates = Chart(
        title="Learning rate",
        x_label="step",
        y_label="learning rate",
        series=[Series("", _last(means, "step"), _last(means, "learning_rate"), "line")],
    )
    save([losses, rates], folder / CURVES)


def _last(parts: Sequence[Sequence[Mapping[str, Any]]], name: str) -> list[float]:
    return [part[-1][name] for part in parts]
