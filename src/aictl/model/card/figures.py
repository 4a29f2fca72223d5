"""The measured figures in an artifact's metrics, with their uncertainty where it was measured.

Metrics are nested JSON. A number is a figure called by its path: ``held_out.loss_after``. A mapping with a
``value`` and an interval beside it is one figure: ``{"value": 0.91, "low": 0.89, "high": 0.93}`` or
``{"value": 0.91, "interval": [0.89, 0.93]}``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_PAIRS = (("low", "high"), ("lower", "upper"))
_INTERVALS = ("interval", "confidence_interval", "interval_95")
# What was measured of the work and not of the model: how fast it was, and what was allowed.
_OF_THE_WORK = ("per_second", "seconds", "tolerance", "_s")


class Figure(NamedTuple):
    """One measured number, and between which it lies as far as was measured."""

    name: str
    value: float
    interval: tuple[float, float] | None = None

    def shown(self) -> str:
        text = f"{self.value:.4g}"
        return text if self.interval is None else f"{text} ({self.interval[0]:.4g} to {self.interval[1]:.4g})"


def figures(metrics: Mapping[str, Any], before: str = "") -> Iterator[Figure]:
    """Every finite figure of the model's quality, in the order of the metrics. A whole number is none: it counts
    documents, steps or parameters."""
    for name, value in metrics.items():
        path = f"{before}{name}"
        if name.endswith(_OF_THE_WORK):
            continue
        if isinstance(value, float) and math.isfinite(value):
            yield Figure(path, value)
        elif isinstance(value, Mapping):
            number = value.get("value")
            if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number):
                yield Figure(path, float(number), _interval(value))
            else:
                yield from figures(value, f"{path}.")


def _interval(value: Mapping[str, Any]) -> tuple[float, float] | None:
    ends = [(value.get(low), value.get(high)) for low, high in _PAIRS]
    ends += [tuple(value[name]) for name in _INTERVALS if isinstance(value.get(name), list | tuple)]
    for pair in ends:
        low, high = pair if len(pair) == 2 else (None, None)
        if isinstance(low, int | float) and isinstance(high, int | float) and math.isfinite(low + high):
            return float(low), float(high)
    return None
