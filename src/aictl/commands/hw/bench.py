"""Measure this machine: matrix products, memory, copies, disk, collectives.

Every figure is repeated until its spread is known, which is reported beside it. With --quick it takes
seconds in place of a minute. The charts, a roofline and the collectives, lie in the artifact.

Between hosts, start the collectives on each with torchrun; the first process alone reports:

    torchrun --nnodes 2 --nproc-per-node 1 --rdzv-backend c10d --rdzv-endpoint HOST:29500 \\
        -m aictl hw bench --only collectives
"""

import os
from pathlib import Path

from aictl.artifacts.benchmark import Benchmark
from aictl.core.command import Command, Work
from aictl.core.spec import option
from aictl.hw.bench.spec import BenchSpec


class FollowerSpec(BenchSpec):
    """What a process other than the first may be given by its launcher, which gives all of them the same words."""

    name: str | None = option(None, help="what the first process calls the artifact")
    force: bool = option(False, help="of no effect: a benchmark is always made")
    dry_run: bool = option(False, help="of effect in the first process alone")
    rehash: bool = option(False, help="of no effect: a benchmark has no inputs")


def run(work: Work[BenchSpec]) -> Benchmark:
    from aictl.hw.bench.bench import bench

    return bench(work.folder, work.spec, work.workspace or Path.cwd(), work.events)


def follow(work: Work[FollowerSpec]) -> None:
    from aictl.hw.bench.ranks import follow, launch

    place = launch()
    if place and not work.spec.dry_run and "collectives" in work.spec.parts:
        follow(place, work.spec.join_timeout_s)


def _follows() -> bool:
    """Whether a launcher such as torchrun started this as another process than the first. Such a one makes
    nothing and takes no lock: it would wait for the first, which waits for it."""
    return os.environ.get("RANK", "0") != "0" and "MASTER_ADDR" in os.environ


command = (
    Command(run=follow, spec=FollowerSpec, extra="bench", workspace="none")
    if _follows()
    else Command(run=run, spec=BenchSpec, makes=(Benchmark,), extra="bench", observes=True, workspace="optional")
)
