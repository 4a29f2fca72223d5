"""Telling a run that has gone wrong from one that has a bad batch."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Sequence

from aictl.core.errors import WorkFailed

WINDOW = 64  # steps that a loss is compared with
FEWEST = 16  # before so many steps there is nothing to compare with
# How far above the median a spike is: six deviations, as the median absolute deviation estimates them
# (times 1.4826, https://en.wikipedia.org/wiki/Median_absolute_deviation), and half as much again as the median.
DEVIATIONS, SHARE = 6 * 1.4826, 1.5


class Spikes:
    """Watches the losses of steps. One that is far above those before is a spike; ``patience`` of them one after
    another mean that the weights are spoilt. 0 watches nothing."""

    def __init__(self, patience: int, losses: Sequence[float] = ()) -> None:
        """``losses`` are those of the steps before a run that goes on."""
        self._patience = patience
        self._usual: deque[float] = deque(maxlen=WINDOW)
        self._count = 0
        self._first = ""
        for loss in losses if patience else ():
            self._is_spike(loss)

    def add(self, loss: float, named: Callable[[], str]) -> None:
        """Take the loss of a step, whose batch is called ``named()``. Raises :class:`WorkFailed`."""
        if not self._patience or not self._is_spike(loss):
            return
        if self._count == 1:
            self._first = named()
        if self._count >= self._patience:
            raise WorkFailed(
                f"training diverged: for {self._count} steps the loss has stayed at {loss:.3g}, and was "
                f"{statistics.median(self._usual):.3g} before; it rose in a batch of {self._first}",
                cure="lower --learning-rate or look at that batch; the checkpoints before it are kept",
            )

    def _is_spike(self, loss: float) -> bool:
        if len(self._usual) >= FEWEST:
            middle = statistics.median(self._usual)
            spread = statistics.median(abs(one - middle) for one in self._usual)
            if loss > max(middle + DEVIATIONS * spread, SHARE * middle):
                self._count += 1
                return True
        self._usual.append(loss)
        self._count = 0
        return False
