"""How far what comes out of a graph is from what it should be, such as what PyTorch gives in float32, and whether that
is near enough."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from aictl.core.errors import GateMissed
from aictl.core.events import Events
from aictl.export.tolerance import usual_tolerance


class Closeness(Protocol):
    """Settings that say how near is near enough: in numbers of which precision, and the largest difference where
    somebody chose it."""

    @property
    def precision(self) -> str: ...
    @property
    def tolerance(self) -> float | None: ...


class Parity:
    """The worst absolute difference of each output in each situation from what ``against`` gives."""

    def __init__(self, spec: Closeness, against: str = "PyTorch") -> None:
        self._spec = spec
        self.against = against
        self._worst: dict[str, dict[str, float]] = {}
        self._largest: dict[str, float] = {}

    def saw(self, situation: str, output: str, got: np.ndarray, wanted: np.ndarray) -> None:
        """Take two arrays of one shape into account; NaN is worse than any number."""
        assert got.shape == wanted.shape, f"{output}: {got.shape} and {wanted.shape}"
        if not wanted.size:
            return
        found = self._worst.setdefault(output, {})
        difference = float(np.abs(got.astype(np.float32) - wanted).max())
        before = found.get(situation, 0.0)
        found[situation] = before if difference <= before or math.isnan(before) else difference
        self._largest[output] = max(self._largest.get(output, 0.0), float(np.abs(wanted).max()))

    def require(self, events: Events) -> dict[str, Any]:
        """The differences by situation, the ``worst`` of them and its ``tolerance``; of several outputs those of each
        as well. Raises :class:`GateMissed` for a difference above the tolerance, or one that is no number."""
        allowed = {name: self._allowed(name) for name in self._worst}
        every = [(value, case, name) for name, found in self._worst.items() for case, value in found.items()]
        worst, case, output = max(every, key=lambda one: (not math.isfinite(one[0]), one[0] / allowed[one[2]]))
        situations = {name: self._overall(name) for name in dict.fromkeys(case for _, case, _ in every)}
        for name, value in situations.items():
            events.measured(f"difference, {name.replace('_', ' ')}", value)
        if not worst <= allowed[output]:
            raise GateMissed(
                f"what the exported graph gives differs from {self.against}'s by up to {worst:.3g} ({output}, "
                f"{case.replace('_', ' ')}), and {allowed[output]:.3g} is accepted",
                cure="raise --tolerance if such a difference does not matter to you",
            )
        stated: dict[str, Any] = {**situations, "worst": worst, "tolerance": allowed[output]}
        if len(self._worst) > 1:
            stated["outputs"] = {name: {**found, "tolerance": allowed[name]} for name, found in self._worst.items()}
        return stated

    def _allowed(self, output: str) -> float:
        return self._spec.tolerance or usual_tolerance(self._spec.precision, self._largest[output])

    def _overall(self, situation: str) -> float:
        return max(found[situation] for found in self._worst.values() if situation in found)
