"""Several processes that train the tiny model of ``tests/training`` together.

They are forked from a process that has imported everything already, so that a test of two processes takes as long as
its training and no longer.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from tests.training.ranks import trainer

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["tests.training.ranks.trainer", "transformers.models.llama.modeling_llama"])
LONGEST_S = 240


class Trainers:
    """Starts trainers, each alone or several that find each other at a port of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.started: list[BaseProcess] = []

    def scratch(self, name: str) -> Path:
        place = self._folder / name
        place.mkdir(exist_ok=True)
        return place

    def start(
        self, name: str, ranks: int = 1, *, only: Sequence[int] | None = None, **wanted: Any
    ) -> list[BaseProcess]:
        group = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(ranks)}
        found: list[BaseProcess] = []
        for rank in range(ranks) if only is None else only:
            place = group | {"RANK": str(rank)} if ranks > 1 else {}
            given = (place, self.scratch(name), self._said(name, rank), trainer.Wanted(**wanted))
            found.append(FORKED.Process(target=trainer.main, args=given, name=f"{name} {rank}"))
            found[-1].start()
        self.started += found
        return found

    def run(self, name: str, ranks: int = 1, **wanted: Any) -> list[tuple[int | None, str]]:
        """The exit status of each process, and what it said."""
        return self.ended(name, self.start(name, ranks, **wanted))

    def ended(self, name: str, processes: Sequence[BaseProcess]) -> list[tuple[int | None, str]]:
        for process in processes:
            process.join(LONGEST_S)
        return [(one.exitcode, self._said(name, int(one.name.split()[-1])).read_text()) for one in processes]

    def rows(self, name: str) -> list[dict[str, float]]:
        """The history of a run."""
        return [json.loads(line) for line in (self.scratch(name) / "metrics.jsonl").read_text().splitlines()]

    def assert_same_curve(self, one: str, other: str) -> None:
        first, second = self.rows(one), self.rows(other)
        assert [row["step"] for row in first] == [row["step"] for row in second]
        for left, right in zip(first, second, strict=True):
            assert right == pytest.approx(left, abs=1e-5, rel=1e-5)

    def _said(self, name: str, rank: int) -> Path:
        return self._folder / f"{name}-{rank}.txt"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def trainers(tmp_path: Path) -> Iterator[Trainers]:
    made = Trainers(tmp_path)
    yield made
    for process in made.started:
        if process.is_alive():
            process.kill()
        process.join()
