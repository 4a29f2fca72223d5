"""Ways for a language model: fused operators, with weights in full, in 8 bits, and in 4 with more or fewer of 8.

Grids of one width take the same room and the same time however weights are rounded to them, so that of each width only
the way that errs least is carried through; which one that is, a few matrices tell. What all ways share is made once:
the fused graph, the rounded matrices, and what each of them costs.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.dataset import Dataset
from aictl.core.events import Events
from aictl.optimize import fused, language
from aictl.optimize.auto.spec import AutoSpec
from aictl.optimize.auto.ways import Way
from aictl.optimize.quality import Model
from aictl.optimize.rounding.foresight import output_errors
from aictl.optimize.rounding.rounder import Prepared, Recipe, Rounder, Rounding
from aictl.optimize.spec import Method

_CHEAPEST_FIRST: tuple[Rounding, ...] = ("rtn", "hqq", "awq", "gptq")
_NEARLY = 1.05  # times the least error, that a cheaper way may have
_UNFELT = 1e-4  # error of outputs, which is about what rounding the inputs to 8 bits does, as the operator always does
_BUDGETS = (0.3, 0.15, 0.0)  # of Recipe: what matrices in 8 bits may add to those in 4
_FORESEEN_TOKENS = 2048  # that tell which way errs least


class LanguageWays:
    """See :class:`aictl.optimize.auto.ways.Ways`."""

    def __init__(self, model: Model, dataset: Dataset, spec: AutoSpec, scratch: Path, events: Events) -> None:
        """Raises what :func:`aictl.optimize.language.quantize` raises of a model."""
        self._weights = language.full_weights(model)
        self._base = self._weights.base if isinstance(self._weights, Adapter) else self._weights
        self._texts = list(language.calibration_texts(self._weights, dataset, spec.calibration_tokens))
        self._scratch, self._events = scratch, events
        self._prepared: dict[Method, Prepared] = {}

    def first(self) -> Sequence[Way]:
        found = [Way("fused", {"method": "fp32"}, self._write_whole)]
        for method in ("int8", "int4"):
            rounding = self._best(method)
            budgets = _BUDGETS if method == "int4" and self._texts else _BUDGETS[:1]
            for budget in budgets:
                name = f"{method}-{rounding}" + (f"-b{100 * budget:.0f}" if len(budgets) > 1 else "")
                options: dict[str, Any] = {"method": method, "rounding": rounding}
                if method == "int4":
                    options["budget"] = budget
                found.append(Way(name, options, partial(self._write_rounded, method, rounding, budget)))
        return found

    def further(self, way: Way) -> Sequence[Way]:
        return ()

    def _best(self, method: Method) -> Rounding:
        if not self._texts:
            return "rtn" if method == "int8" else "hqq"
        task = f"foresee which way of rounding to {method} errs least"
        self._events.started(task)
        few, tokens = [], 0
        for ids in self._texts:
            few.append(ids)
            tokens += len(ids)
            if tokens >= _FORESEEN_TOKENS:
                break
        errors = output_errors(self._source(), fused.BITS[method], fused.BLOCKS[method], _CHEAPEST_FIRST, few)
        for way, error in errors.items():
            self._events.measured(f"{method}, {way}: error of outputs", error)
        self._events.finished(task)
        enough = max(_NEARLY * min(errors.values()), _UNFELT)
        return next(way for way in _CHEAPEST_FIRST if errors[way] <= enough)

    def _source(self) -> Path:
        """The fused graph in full precision; one that was there before a kill is taken again."""
        kept = self._scratch / "full"
        if not kept.exists():
            task = "fuse operators"
            self._events.started(task)
            fused.full_precision(self._weights, self._scratch).rename(kept)
            self._events.finished(task)
        return kept

    def _write_whole(self, folder: Path) -> Mapping[str, Any]:
        for name in fused.GRAPH_FILES:
            shutil.copyfile(self._source() / name, folder / name)
        fused.describe(self._source(), self._base, folder, "fp32")
        return {}

    def _write_rounded(self, method: Method, rounding: Rounding, budget: float, folder: Path) -> Mapping[str, Any]:
        if method not in self._prepared:
            rounder = Rounder(
                Recipe(fused.BITS[method], rounding, fused.BLOCKS[method]), self._texts, None, self._events
            )
            self._prepared = {method: rounder.prepare(self._source(), scratch=self._scratch)}  # one at a time in memory
        report = self._prepared[method].write(folder, budget)
        fused.describe(self._source(), self._base, folder, method)
        return language.told(report, rounding, self._texts)
