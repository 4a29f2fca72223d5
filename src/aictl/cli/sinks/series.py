"""What a quantity was over the steps of a run, in as many points as a screen can show."""

from __future__ import annotations

import math

MOST_POINTS = 2000  # a wide terminal's chart is 400 dots across


class Series:
    """A curve of at most ``MOST_POINTS`` points ``(step, value)``. When it is full, neighbours become their mean, and
    from then on each point is the mean of twice as many measurements. What is no finite number is left out."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []
        self._each = 1  # measurements that a point stands for
        self._steps = self._values = 0.0
        self._count = 0
        self._last = -math.inf

    def add(self, step: float, value: float) -> None:
        """A measurement. A step that lies before the last one begins the curve anew: another run has begun."""
        if step < self._last:
            self.__init__()  # type: ignore[misc]
        self._last = step
        if not math.isfinite(value):
            return
        self._steps += step
        self._values += value
        self._count += 1
        if self._count < self._each:
            return
        self.points.append((self._steps / self._count, self._values / self._count))
        self._steps = self._values = 0.0
        self._count = 0
        if len(self.points) >= MOST_POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [((a + c) / 2, (b + d) / 2) for (a, b), (c, d) in pairs]
            self._each *= 2
