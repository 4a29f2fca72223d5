"""`optimize auto` beside all that it could have found, each made by hand: how good what it finds is, and how soon."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.optimizing import SUBJECTS
from tests.bench.tasks import Workspace

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "searching.md"
HEAD = """# What a search finds, and how soon

Written by `make bench` (alone: `python -m tests.bench searching`) on {machine}, one thread; load {load:.1f} when it
began. `aictl optimize auto` with `--target latency` and what it accepts unless told otherwise, beside
`aictl optimize quantize` run by hand in each of its ways. The best by hand is the fastest of those that lose no more
than is accepted. Both are then measured by `aictl optimize bench` in turn; CPU seconds are those of whole commands,
all processes of theirs included.

| model | by hand | CPU seconds | best by hand | found | CPU seconds | share of the time, goal 1/3 | found: loss | by hand: loss | times as fast as the best by hand, goal 1 |
|---|---|---|---|---|---|---|---|---|---|
"""  # noqa: E501

Words = tuple[str, ...]


class Made(NamedTuple):
    """What a way came to by hand: how it was asked for, and the metrics of its artifact."""

    name: str
    way: Words
    metrics: dict[str, Any]


def _crossed(first: str, firsts: Sequence[str], second: str, seconds: Sequence[str]) -> list[Words]:
    return [(first, one, second, other) for one, other in product(firsts, seconds)]


LANGUAGE = _crossed("--method", ("int8", "int4"), "--rounding", ("rtn", "hqq", "awq", "gptq"))
NETWORK = _crossed("--calibration", ("dynamic", "minmax", "entropy", "percentile"), "--spare", ("0", "3"))
WAYS = {"embedding": NETWORK, "trained": LANGUAGE, "smollm2": LANGUAGE}
ACCEPTED = {"embedding": 0.01, "trained": 0.05, "smollm2": 0.05}


def write(place: Path, machine: str) -> None:
    """Measure, and write docs/benchmarks/searching.md."""
    place.mkdir(parents=True, exist_ok=True)
    lines = [HEAD.format(machine=machine, load=os.getloadavg()[0]).rstrip("\n")]
    workspace = Workspace(place / "searching")
    wanted = os.environ.get("AICTL_BENCH_MODELS", ",".join(WAYS)).split(",")
    for name in wanted:
        SUBJECTS[name].make(workspace, place)
        workspace.run("export", "onnx", name, "--name", f"{name}-onnx")
        lines.append(_row(workspace, name))
        print(lines[-1], flush=True)
    PAGE.write_text("\n".join(lines) + "\n", "utf-8")


def _row(workspace: Workspace, name: str) -> str:
    model, data = f"{name}-onnx", ("--dataset", f"{name}-data")
    searched, search_s = workspace.run("optimize", "auto", model, *data, "--name", f"{name}-front")
    found = f"{name}-found"
    workspace.run("optimize", "pick", f"{name}-front", "--name", found)
    by_hand, hand_s = [], 0.0
    for number, way in enumerate(WAYS[name]):
        made = f"{name}-{number}"
        # Whatever it loses, it is made.
        words = ("optimize", "quantize", model, *data, *way, "--max-quality-loss", "9", "--name", made)
        try:
            document, taken = workspace.run(*words)
        except (RuntimeError, subprocess.CalledProcessError):
            continue
        hand_s += taken
        by_hand.append(Made(made, way, document["metrics"]))
    good = [one for one in by_hand if one.metrics["quality_loss"] <= ACCEPTED[name]]
    best = max(good, key=lambda one: one.metrics["speedup"]["ratio"])
    raced = workspace.document(
        "optimize", "bench", best.name, found, *data, "--at-once", "1", "--rounds", "15", "--name", f"{name}-speeds"
    )
    gained = raced["metrics"][found]["speedup"]
    chosen = searched["metrics"]
    return (
        f"| {SUBJECTS[name].called} | {len(by_hand)} ways | {hand_s:.0f} | {' '.join(best.way)} | {chosen['chosen']} "
        f"| {search_s:.0f} | **{search_s / hand_s:.2f}** | {chosen['loss']:+.2%} "
        f"| {best.metrics['quality_loss']:+.2%} | **{gained['ratio']:.2f}** ({gained['low']:.2f} to "
        f"{gained['high']:.2f}) |"
    )
