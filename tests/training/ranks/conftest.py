"""Several processes that train the tiny model of ``tests/training`` together, started by hand or by torchrun."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TRAINER = """
    import importlib.util, json, os, signal, sys, time
    from pathlib import Path
    import torch
    from aictl.core.command import Followed
    from aictl.core.errors import AictlError, Interrupted
    from aictl.core.events import Advanced, Events, Noted
    from aictl.training.loop import Job, fit
    from aictl.training.precision import Compute
    from aictl.training.ranks.joining import join
    from aictl.training.spec import LoopSpec, OptimizerSpec, ParallelSpec
    from aictl.training.tokens import PackedBatches, held_out

    spec = importlib.util.spec_from_file_location("models", sys.argv[1])
    models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(models)
    wanted = json.loads(sys.argv[2])
    rank, scratch = int(os.environ.get("RANK", "0")), Path(wanted["scratch"])
    torch.set_num_threads(1)

    def sink(event):
        if isinstance(event, Noted) and rank == 0:
            print(event.message, flush=True)
        if isinstance(event, Advanced) and event.task == "train":
            if wanted.get("shows"):
                print("rank", rank, "step", int(event.done), flush=True)
            if event.done == wanted.get("dies_at") and rank == wanted["who"] and not (scratch / "died").exists():
                (scratch / "died").touch()
                os.kill(os.getpid(), wanted["signal"])
            time.sleep(wanted.get("pause_s", 0))

    device = torch.device("cpu")
    for name in ("SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), lambda number, frame: (_ for _ in ()).throw(Interrupted(number)))
    try:
        world = join(ParallelSpec(**{"process_timeout_s": 60, **wanted["parallel"]}), device, Events(sink))
        tokens = models.counting_tokens()
        model = models.tiny_model(wanted.get("dropout", 0.0))
        job = Job(model, PackedBatches(tokens[:1800], wanted.get("rows", 4), 16, seed=3),
                  held_out(tokens[1800:], 4, 16, most=128), wanted.get("steps", 12), 1e-2, OptimizerSpec(),
                  LoopSpec(seed=5, evaluate_every=5, checkpoint_every=wanted.get("every", 4)),
                  Compute(device, "fp32", tokens_at_once=wanted.get("at_once", 1024)), scratch, world=world)
        fit(job, Events(sink))
        torch.save({name: value.detach() for name, value in model.named_parameters()}, scratch / "weights.pt")
    except Followed:
        pass
    except Interrupted as stopped:
        sys.exit(stopped.exit_code)
    except AictlError as error:
        print("rank", rank, "failed:", error.message, flush=True)
        sys.exit(error.exit_code)
"""


class Trainers:
    """Starts the trainer as one process, or as several that find each other at a port of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = folder / "trainer.py"
        self._program.write_text(textwrap.dedent(TRAINER))
        self._models = Path(__file__).parents[1] / "conftest.py"
        self.started: list[subprocess.Popen[str]] = []

    def scratch(self, name: str) -> Path:
        place = self._folder / name
        place.mkdir(exist_ok=True)
        return place

    def start(
        self, name: str, ranks: int = 1, only: tuple[int, ...] | None = None, **wanted: object
    ) -> list[subprocess.Popen[str]]:
        wanted = {"parallel": {}, "scratch": str(self.scratch(name)), **wanted}
        words = [sys.executable, str(self._program), str(self._models), json.dumps(wanted)]
        place = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(ranks)}
        quiet = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "FATAL"}
        found = [
            subprocess.Popen(
                words,
                env={**quiet, **(place | {"RANK": str(rank)} if ranks > 1 else {})},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for rank in (only or range(ranks))
        ]
        self.started += found
        return found

    def run(self, name: str, ranks: int = 1, **wanted: object) -> list[tuple[int, str]]:
        """The exit status of each process and what it said."""
        return ended(self.start(name, ranks, **wanted))

    def rows(self, name: str) -> list[dict[str, float]]:
        return [json.loads(line) for line in (self.scratch(name) / "metrics.jsonl").read_text().splitlines()]


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    said = [process.communicate(timeout=240)[0] for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def trainers(tmp_path: Path) -> Iterator[Trainers]:
    made = Trainers(tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()


@pytest.fixture
def wait_for() -> Callable[[subprocess.Popen[str], str], list[str]]:
    """Reads what a process says until a line holds a word."""

    def wait(process: subprocess.Popen[str], word: str) -> list[str]:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if word in line:
                return lines
        raise AssertionError(f"it never said {word!r}:\n{''.join(lines)}")

    return wait
