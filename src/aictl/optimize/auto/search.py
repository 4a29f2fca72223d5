"""The search for what is worth having: many candidates are made, few are measured in full.

    ways ─▶ a candidate each ─▶ judged on a few documents ─▶ raced in one run ─▶ judged on all ─▶ the front
     ▲                             lost too much ╳              beaten ╳           │
     └──────────────────── further ways, for what lost too much ───────────────────┘

A candidate goes as soon as it is beyond doubt that it will not be kept. What was made and found out lies in the
scratch folder, so that a search that was killed goes on from there.
"""

from __future__ import annotations

import filecmp
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from pathlib import Path
from typing import Any

from aictl.artifacts.dataset import Dataset
from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import AictlError, BadRequest, WorkFailed
from aictl.core.events import Events
from aictl.optimize.auto.spec import AutoSpec
from aictl.optimize.auto.ways import Way, Ways
from aictl.optimize.bench.bench import bench
from aictl.optimize.quality import Lost, Model, lost
from aictl.optimize.spec import BenchSpec

_SCREENED = 8  # the part of the documents that a first judgement takes
_FEWEST = 32  # of documents, and _FEWEST_TOKENS of tokens, that tell anything
_FEWEST_TOKENS = 512
_ALIKE = 1.02  # a ratio of times that could be chance


@dataclass
class Tried:
    """What is known of a way. ``found`` is its latest judgement, ``is_judged`` whether that was on all documents, and
    ``speed`` what the latest race said of it, as a model in a comparison."""

    way: Way
    folder: Path
    about: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = "tried"
    why: str = ""
    found: Lost | None = None
    is_judged: bool = False
    speed: Mapping[str, Any] = field(default_factory=dict)

    def leave(self, outcome: str, why: str) -> None:
        """It is out of the race; what was made of it stays, for a search that goes on after a kill."""
        self.outcome, self.why = outcome, why

    @property
    def is_in(self) -> bool:
        return self.outcome == "tried"


class Search:
    """One model's. Each step needs those before."""

    def __init__(self, parent: Model, held: Dataset, spec: AutoSpec, scratch: Path, events: Events) -> None:
        self._parent, self._held, self._spec = parent, held, spec
        self._scratch, self._events = scratch, events
        self.tried: list[Tried] = []
        self.parent_speed: Mapping[str, Any] = {}

    def run(self, ways: Ways) -> list[Tried]:
        """All that was tried. Of those on the front ``outcome`` is still ``tried``.

        Raises the first error where every way failed.
        """
        failures: list[AictlError] = []
        waiting = list(ways.first())
        while waiting:
            made = self._screened(waiting, failures)
            if len(failures) == len(self.tried):
                raise failures[0]
            self._race()
            self._leave_beaten(certainly=True)
            for one in self._left():
                if not one.is_judged:
                    self._judge(one, self._spec, "judged")
                    one.is_judged = True
            waiting = [way for one in made if self._deserves_more(one) for way in ways.further(one.way)]
        self._leave_beaten(certainly=False)
        return self.tried

    def _screened(self, ways: Sequence[Way], failures: list[AictlError]) -> list[Tried]:
        """What came of some ways, judged on a few documents."""
        task = "try"
        self._events.started(task, total=len(ways), unit="ways")
        found = []
        for done, way in enumerate(ways, 1):
            one = self._made(way, failures)
            found.append(one)
            if one.is_in:
                self._leave_same(one)
            if one.is_in:
                self._judge(one, self._few(), "screened")
            self._events.advanced(task, done)
        self._events.finished(task)
        return found

    def _left(self) -> list[Tried]:
        return [one for one in self.tried if one.is_in]

    def _made(self, way: Way, failures: list[AictlError]) -> Tried:
        one = Tried(way, self._scratch / "ways" / way.name)
        self.tried.append(one)
        kept = one.folder.with_suffix(".json")
        if kept.is_file() and one.folder.is_dir():
            one.about = json.loads(kept.read_text("utf-8"))
            return one
        shutil.rmtree(one.folder, ignore_errors=True)
        one.folder.mkdir(parents=True)
        try:
            one.about = way.write(one.folder)
        except (BadRequest, WorkFailed) as error:  # what other ways may do without
            failures.append(error)
            one.leave("failed", error.message)
            self._events.noted(f"{way.name}: {error.message}", "warning")
            return one
        kept.write_text(json.dumps(one.about), "utf-8")
        return one

    def _leave_same(self, one: Tried) -> None:
        """Other options may come to the same model."""
        for other in self._left():
            if other is not one and _is_same(self._model(one), self._model(other)):
                one.leave("beaten", f"the same as {other.way.name}")
                return

    def _few(self) -> AutoSpec:
        """On how much a first judgement is made."""
        most = max(_FEWEST, self._spec.most // _SCREENED)
        tokens = max(_FEWEST_TOKENS, self._spec.quality_tokens // _SCREENED)
        return self._spec.model_copy(update={"most": most, "quality_tokens": tokens})

    def _judge(self, one: Tried, spec: AutoSpec, where: str) -> None:
        """Measure what it loses. Where it is beyond doubt that this is more than is accepted, it is out."""
        scratch = self._scratch / where
        scratch.mkdir(exist_ok=True)
        found = lost(
            self._parent, self._model(one), self._held, spec, called=one.way.name, scratch=scratch, events=self._events
        )
        one.found = found
        most, least = self._accepted(found), found.loss if found.low is None else found.low
        if not isfinite(found.loss):
            one.leave("lost", f"its {found.quality.measure} is no number")
        elif least > most:
            one.leave("lost", f"more than {most:g} of {found.quality.measure}")

    def _accepted(self, found: Lost) -> float:
        accepted = self._spec.accepted(found.quality.accepted)
        return inf if accepted is None else accepted

    def _deserves_more(self, one: Tried) -> bool:
        """Whether it lost too much, and none that is good enough is as small and as fast: then losing less, at some
        cost, may be worth it."""
        if one.found is None or one.found.loss <= self._accepted(one.found):
            return False
        good = [other for other in self._left() if other.found and other.found.loss <= self._accepted(other.found)]
        return not one.speed or not any(
            all(other.speed[name] <= one.speed[name] for name in ("size_bytes", "cpu_s")) for other in good
        )

    def _race(self) -> None:
        """Measure the speed of all that is left, beside the parent's."""
        folder, scratch = self._scratch / "speeds", self._scratch / "racing"
        for place in (folder, scratch):
            place.mkdir(exist_ok=True)
        spec = BenchSpec(
            rounds=self._spec.rounds, prompt_tokens=self._spec.prompt_tokens, new_tokens=self._spec.new_tokens,
            at_once=[self._spec.at_once], split=self._spec.split,
        )  # fmt: skip
        models: Sequence[Model] = [self._parent, *(self._model(one) for one in self._left())]
        made = bench(models, self._held, spec, folder, scratch=scratch, events=self._events)
        self.parent_speed, *others = made.facts["models"]
        for one, speed in zip(self._left(), others, strict=True):
            one.speed = speed

    def _model(self, one: Tried) -> OnnxModel:
        return OnnxModel(one.folder, name=f"{self._parent.label}-{one.way.name}")

    def _leave_beaten(self, *, certainly: bool) -> None:
        for one in self._left():
            for other in self._left():
                if other is not one and beats(other, one, certainly=certainly):
                    one.leave("beaten", f"by {other.way.name}")
                    break
            else:
                if not certainly and _is_no_gain(one, self.parent_speed):
                    one.leave("beaten", "by what it was made from")


def _is_same(one: OnnxModel, other: OnnxModel) -> bool:
    if one.weights_bytes != other.weights_bytes:
        return False
    files = (path for graph in one.graphs.values() for path in one.folder.glob(f"{graph.name}*"))
    return all(filecmp.cmp(path, other.folder / path.name, shallow=False) for path in files)


def beats(one: Tried, other: Tried, *, certainly: bool) -> bool:
    """Whether one is nowhere behind another, and somewhere before it. Where it has to be ``certain``, its loss must be
    less by all of their intervals."""
    assert one.found is not None and other.found is not None
    size, time = one.speed["size_bytes"], one.speed["cpu_s"]
    if size > other.speed["size_bytes"] or time > _ALIKE * other.speed["cpu_s"]:
        return False
    if certainly:
        high, low = one.found.high, other.found.low
        return high is not None and low is not None and high < low
    if one.found.loss > other.found.loss:
        return False
    is_smaller, is_faster = size < other.speed["size_bytes"], _ALIKE * time < other.speed["cpu_s"]
    return is_smaller or is_faster or one.found.loss < other.found.loss


def _is_no_gain(one: Tried, parent: Mapping[str, Any]) -> bool:
    """Whether the parent itself is at least as good in everything."""
    assert one.found is not None
    is_no_smaller = one.speed["size_bytes"] >= parent["size_bytes"]
    return is_no_smaller and _ALIKE * one.speed["cpu_s"] >= parent["cpu_s"] and one.found.loss >= 0
