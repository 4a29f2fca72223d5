"""Small real commands on which the runner is tried: one that counts words, one that adds counts."""

from __future__ import annotations

import json
from typing import Any

from aictl.artifacts.probe import Probe
from aictl.core.artifact import Source
from aictl.core.command import Command, Takes, Work
from aictl.core.spec import Spec, option


class CountSpec(Spec):
    unit: str = option("words", help="what to count")
    jobs: int = option(1, affects_result=False, help="how many at once")


def count(work: Work[CountSpec]) -> Probe:
    texts = [source.path.read_text("utf-8") for source in work.inputs["sources"]]
    total = sum(len(text.split()) if work.spec.unit == "words" else len(text) for text in texts)
    (work.folder / "probe.json").write_text(json.dumps({"total": total}))
    return Probe(work.folder, metrics={"total": total}, summary=f"{total} {work.spec.unit}")


def add(work: Work[Any]) -> Probe:
    total = sum(one.facts["total"] for one in work.inputs["counts"])
    (work.folder / "probe.json").write_text(json.dumps({"total": total}))
    return Probe(work.folder, metrics={"total": total}, summary=f"{total} in all")


COUNT = Command(run=count, spec=CountSpec, takes=[Takes("sources", (Source,), "files", many=True)], makes=(Probe,))
ADD = Command(run=add, takes=[Takes("counts", (Probe,), "counts", many=True)], makes=(Probe,))
