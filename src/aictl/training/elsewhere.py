"""Running a command line that trains by several processes, or on other machines. Every verb that trains has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aictl.core.answer import Answer
from aictl.core.events import Events
from aictl.training.spec import ClusterSpec, ParallelSpec


class Trains(Protocol):
    """The settings of a verb that trains."""

    @property
    def parallel(self) -> ParallelSpec: ...

    @property
    def cluster(self) -> ClusterSpec: ...


def launch(spec: Trains, words: Sequence[str], events: Events) -> Answer | int | None:
    """Run ``words`` elsewhere: the job to hand in, or the exit status of the processes; None if it is to run here."""
    if spec.cluster.on != "here":
        from aictl.training.clusters.submit import submit

        return submit(spec.cluster, spec.parallel, words)
    if spec.parallel == ParallelSpec():
        return None
    from aictl.training.ranks.launch import launch as start

    return start(spec.parallel, words, events)
