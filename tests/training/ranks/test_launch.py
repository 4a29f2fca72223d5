"""The command line: started by itself, by torchrun, and as two machines on this one, of which one is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.training.ranks.conftest import free_port

from aictl.core.errors import BadRequest
from aictl.core.events import silent
from aictl.training.ranks.launch import launch, nodes_of, restarts_of
from aictl.training.spec import ParallelSpec

OPTIONS = [
    *("--batch-size", "4", "--sequence-length", "32", "--vocab-size", "300", "--precision", "fp32"),
    *("--evaluate-every", "10", "--checkpoint-every", "2", "--device", "cpu", "--events", "plain"),
]
SUBJECTS, PLACES = ("cat", "dog", "bird", "child", "boat"), ("garden", "harbour", "house", "street")

Start = Callable[..., subprocess.Popen[str]]


def test_one_process_is_enough_unless_more_are_asked_for():
    assert launch(ParallelSpec(), ["train"], silent) is None


def test_machines_need_a_place_to_meet():
    with pytest.raises(BadRequest, match="--nnodes 2: the machines need a place to meet"):
        launch(ParallelSpec(nnodes="2"), ["train"], silent)


def test_a_range_of_machines_is_started_again():
    assert nodes_of(ParallelSpec(nnodes="1:4")) == (1, 4)
    assert [restarts_of(ParallelSpec(nnodes=nodes)) for nodes in ("4", "1:4")] == [0, 3]
    assert restarts_of(ParallelSpec(nnodes="1:4", max_restarts=1)) == 1


@pytest.mark.parametrize("bad", [{"nproc": "0"}, {"nproc": "two"}, {"nnodes": "4:1"}, {"rdzv": "host"}])
def test_bad_numbers_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        ParallelSpec(**bad)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    """A workspace with a small text dataset, which the tests share."""
    root = tmp_path_factory.mktemp("work") / "space"
    said = [str(root)]
    notes = root / "notes"
    for words in (["init", *said], ["data", "prep", str(notes), "--name", "notes", "--workspace", str(root)]):
        subprocess.run([sys.executable, "-m", "aictl", *words], check=True, capture_output=True)
        notes.mkdir(exist_ok=True)
        for number, subject in enumerate(SUBJECTS * 4):
            lines = [
                f"The {subject} number {number} sees the {place} on day {day}." for place in PLACES for day in range(9)
            ]
            (notes / f"{number}.txt").write_text("\n".join(lines))
    return root


@pytest.fixture
def start(workspace) -> Iterator[Start]:
    """Starts ``aictl train`` in a session of its own, all of which is gone after the test."""
    started: list[subprocess.Popen[str]] = []
    shutil.rmtree(workspace / ".aictl/making", ignore_errors=True)  # what the test before has left

    def begin(*words: str, by: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, *by, "-m", "aictl", "train", "notes", *OPTIONS, *words],
                cwd=workspace,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
        )
        return started[-1]

    yield begin
    for process in started:
        for one in [*ranks_of(process), process.pid]:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        process.wait()


def ranks_of(launcher: subprocess.Popen[str]) -> list[int]:
    """The processes that a launcher has started, by their rank there."""
    try:
        return sorted(map(int, Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()))
    except OSError:
        return []


def wait_for_checkpoint(workspace: Path, step: int) -> None:
    ends = time.monotonic() + 240
    while not any(workspace.glob(f".aictl/making/*/scratch/checkpoints/step-{step:09d}")):
        assert time.monotonic() < ends, "it never came so far"
        time.sleep(0.01)


def last_losses(workspace: Path, name: str) -> list[float]:
    path = workspace / "artifacts" / "checkpoint" / f"{name}@1" / "metrics.jsonl"
    return [row["held_out_loss"] for row in map(json.loads, path.read_text().splitlines()) if "held_out_loss" in row]


@pytest.mark.slow
def test_two_processes_make_one_artifact_and_the_first_alone_tells(workspace, start):
    one = start("--name", "one", "--max-steps", "10")
    assert one.wait(240) == 0
    two = start("--name", "two", "--max-steps", "10", "--nproc", "2", "--shard", "full", "--force")
    said, told = two.communicate(timeout=240)
    assert (two.returncode, said.splitlines()) == (0, [str(workspace / "artifacts/checkpoint/two@1")])
    assert told.count("made checkpoint 'two'") == told.count("training with 2 processes") == 1
    assert "Warning" not in told
    assert last_losses(workspace, "two") == pytest.approx(last_losses(workspace, "one"), abs=1e-5)
    # The number of processes makes no other thing: it is up to date, and nothing is started.
    again = start("--name", "two", "--max-steps", "10", "--nproc", "2")
    assert again.communicate(timeout=240)[0] == said


@pytest.mark.slow
def test_torchrun_does_as_it_stands(workspace, start):
    words = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python", sys.executable)
    process = start("--name", "torchrun", "--max-steps", "3", "--seed", "1", by=words)
    said, told = process.communicate(timeout=240)
    assert process.returncode == 0, told
    assert said.splitlines() == [str(workspace / "artifacts/checkpoint/torchrun@1")]


@pytest.mark.slow
def test_a_rank_that_is_killed_fails_all_and_with_restarts_none(workspace, start):
    words = ("--name", "killed", "--max-steps", "30", "--seed", "2", "--nproc", "2")
    process = start(*words)
    wait_for_checkpoint(workspace, 4)
    os.kill(ranks_of(process)[1], signal.SIGKILL)
    said, told = process.communicate(timeout=240)
    assert (process.returncode, said) == (75, "")
    assert "was killed by SIGKILL" in told
    process = start(*words, "--max-restarts", "1")
    wait_for_checkpoint(workspace, 12)
    os.kill(ranks_of(process)[0], signal.SIGKILL)
    said, told = process.communicate(timeout=240)
    assert process.returncode == 0, told
    assert told.count("going on from step") == 2


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_command_stops_all_with_a_checkpoint(workspace, start, number):
    process = start("--name", "stopped", "--max-steps", "4000", "--seed", str(int(number)), "--nproc", "2")
    wait_for_checkpoint(workspace, 6)
    process.send_signal(number)
    _, told = process.communicate(timeout=240)
    assert process.returncode == 128 + number
    assert told.count("interrupted") == 1


@pytest.mark.slow
def test_a_machine_that_is_lost_is_done_without(workspace, start):
    """Two launchers on this machine stand for two machines; all of the second is killed at once."""
    words = ("--name", "elastic", "--max-steps", "30", "--seed", "4", "--nnodes", "1:2")
    place = ("--rdzv", f"localhost:{free_port()}")
    first = start(*words, *place)
    time.sleep(1)  # whoever comes first keeps the place where they meet
    second = start(*words, *place)
    wait_for_checkpoint(workspace, 4)
    for one in [second.pid, *ranks_of(second)]:
        os.kill(one, signal.SIGKILL)
    _, told = first.communicate(timeout=240)
    assert first.returncode == 0, told
    assert "training with 2 processes" in told
    assert "going on from step" in told
    alone = start("--name", "alone", "--max-steps", "30", "--seed", "4", "--force")
    assert alone.wait(240) == 0
    assert last_losses(workspace, "elastic") == pytest.approx(last_losses(workspace, "alone"), abs=1e-4)


@pytest.mark.slow
def test_machines_that_do_not_come_are_told_of(workspace, start):
    place = f"localhost:{free_port()}"
    process = start("--nnodes", "2", "--rdzv", place, "--process-timeout-s", "2", "--seed", "5")
    said, told = process.communicate(timeout=240)
    assert (process.returncode, said) == (75, "")
    assert f"fewer than 2 machines met at {place} within 2 s\n" in told
