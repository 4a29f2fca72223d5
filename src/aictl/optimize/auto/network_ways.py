"""Ways for networks other than language models: what flows between layers rounded in each manner there is, and where
that loses too much, once more without the layers that are harmed most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

from aictl.artifacts.dataset import Dataset
from aictl.artifacts.onnx import OnnxModel
from aictl.core.events import Events
from aictl.optimize import networks
from aictl.optimize.auto.spec import AutoSpec
from aictl.optimize.auto.ways import Way
from aictl.optimize.quality import Model
from aictl.optimize.spec import Calibration, QuantizeSpec

_SPARED = 3  # layers


class NetworkWays:
    """See :class:`aictl.optimize.auto.ways.Ways`."""

    def __init__(self, model: Model, dataset: Dataset, spec: AutoSpec, scratch: Path, events: Events) -> None:
        self._model, self._dataset, self._spec = model, dataset, spec
        self._scratch, self._events = scratch, events

    def first(self) -> Sequence[Way]:
        return (
            [self._way("dynamic", 0)]
            if self._has_several_graphs
            else [self._way(how, 0) for how in get_args(Calibration)]
        )

    def further(self, way: Way) -> Sequence[Way]:
        if way.options["spare"] or self._has_several_graphs:
            return ()
        return [self._way(way.options["calibration"], _SPARED)]

    @property
    def _has_several_graphs(self) -> bool:
        """Of those what flows between layers is measured in every run, and no layer is spared."""
        return isinstance(self._model, OnnxModel) and len(self._model.graphs) > 1

    def _way(self, how: Calibration, spare: int) -> Way:
        name = f"int8-{how}" + (f"-spare{spare}" if spare else "")
        options = {"method": "int8", "calibration": how, "spare": spare}
        return Way(name, options, partial(self._write, options))

    def _write(self, options: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
        spec = QuantizeSpec(**options, calibration_documents=self._spec.calibration_documents)
        return networks.quantize(self._model, self._dataset, spec, folder, scratch=self._scratch, events=self._events)
