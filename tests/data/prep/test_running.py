"""Many processes, killed ones and resumed ones make the same dataset, byte for byte."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from aictl.core.artifact import Source
from aictl.core.errors import WorkFailed
from aictl.core.events import Events, Noted, silent
from aictl.data.prep import route, running, streams
from aictl.data.prep.prep import Inputs, prepare
from aictl.data.prep.shelf import Shelf
from aictl.data.prep.spec import PrepSpec
from aictl.workspace.config import settle


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Five files of records, some of them the same, some nearly, some broken."""
    folder = tmp_path_factory.mktemp("corpus")
    maker = random.Random(3)
    words = [f"word{number}" for number in range(3000)]
    texts = [" ".join(maker.choices(words, k=maker.randint(20, 120))) for _ in range(4000)]
    texts += [text + " and an end" for text in texts[:200]] + texts[:200]
    maker.shuffle(texts)
    for number in range(5):
        rows = [json.dumps({"text": text}) for text in texts[number::5]]
        rows[10] = "{broken"
        (folder / f"{number}.jsonl").write_text("\n".join(rows))
    return folder


def made(corpus, place: Path, events=silent, **options):
    """The files of a dataset made of the corpus."""
    for name in ("made", "scratch"):
        (place / name).mkdir(parents=True, exist_ok=True)
    spec = settle("data.prep", PrepSpec, {"near_duplicates": 0.8, **options}, environment={}).spec
    prepare(Inputs([Source("corpus", corpus, "")]), spec, place / "made", scratch=place / "scratch", events=events)
    return {path.name: path.read_bytes() for path in (place / "made").iterdir()}


@pytest.fixture(scope="module")
def expected(corpus, tmp_path_factory):
    return made(corpus, tmp_path_factory.mktemp("expected"), workers=1)


@pytest.fixture
def many(monkeypatch):
    """A stream for every file, and processes for so little."""
    monkeypatch.setattr(streams, "STREAM_BYTES", 100_000)
    monkeypatch.setattr(running, "ALONE_BYTES", 0)


def test_it_does_not_matter_how_many_work(corpus, expected, tmp_path, many):
    assert made(corpus, tmp_path / "two", workers=2) == expected
    assert made(corpus, tmp_path / "three", workers=3) == expected


def test_it_does_not_matter_how_it_is_cut(corpus, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "STREAM_BYTES", 20_000)
    monkeypatch.setattr(route, "CHUNK_CHARACTERS", 5_000)
    monkeypatch.setattr(route, "CHARACTERS", 1_000)
    assert made(corpus, tmp_path, workers=1) == expected


@pytest.mark.parametrize("after", [1, 2, 5])
def test_what_was_finished_is_not_done_again(corpus, expected, tmp_path, monkeypatch, after):
    monkeypatch.setattr(route, "CHUNK_CHARACTERS", 200_000)
    monkeypatch.setattr(streams, "STREAM_BYTES", 10**6)
    real, put = Shelf.put, []

    def dies(self, chunk):
        real(self, chunk)
        put.append(chunk.facts)
        if len(put) == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(Shelf, "put", dies)
    with pytest.raises(KeyboardInterrupt):
        made(corpus, tmp_path, workers=1)
    there = {path: path.stat().st_mtime_ns for path in (tmp_path / "scratch/chunks").glob("*.json")}
    assert len(there) == after
    monkeypatch.setattr(Shelf, "put", real)
    assert made(corpus, tmp_path, workers=1) == expected
    assert all(path.stat().st_mtime_ns == when for path, when in there.items())


def test_half_a_chunk_is_none(corpus, expected, tmp_path):
    made(corpus, tmp_path, workers=1)
    (path,) = sorted((tmp_path / "scratch/chunks").glob("*.json"))
    path.unlink()
    path.with_suffix(".lines").write_bytes(b"torn")
    assert made(corpus, tmp_path, workers=1) == expected


def _kill(stop: threading.Event, killed: list[int], most: int, first: Path | None = None) -> None:
    """Kill ``most`` processes of this one as they come, once there is something in ``first``."""
    while first is not None and not list(first.glob("*.json")) and not stop.is_set():
        time.sleep(0.002)
    while len(killed) < most and not stop.is_set():
        for child in multiprocessing.active_children():
            if child.pid and child.pid not in killed and len(killed) < most and child.is_alive():
                with suppress(ProcessLookupError):  # it may have ended by itself since
                    os.kill(child.pid, signal.SIGKILL)
                    killed.append(child.pid)
        time.sleep(0.002)


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing(corpus, expected, tmp_path, many):
    told, killed, stop = [], [], threading.Event()
    killer = threading.Thread(target=_kill, args=(stop, killed, 1, tmp_path / "scratch/chunks"))
    killer.start()
    try:
        assert made(corpus, tmp_path, events=Events(told.append), workers=2) == expected
    finally:
        stop.set()
        killer.join()
    assert killed
    assert any(isinstance(event, Noted) and "was killed" in event.message for event in told)


@pytest.mark.slow
def test_workers_that_are_always_killed_are_an_error(corpus, tmp_path, many):
    killed, stop = [], threading.Event()
    killer = threading.Thread(target=_kill, args=(stop, killed, 1000))
    killer.start()
    try:
        with pytest.raises(WorkFailed, match="killed from outside"):
            made(corpus, tmp_path, workers=2)
    finally:
        stop.set()
        killer.join()


PROGRAM = """
import sys
from pathlib import Path
from tests.data.prep.test_running import made, running, streams
streams.STREAM_BYTES, running.ALONE_BYTES = 100_000, 0
made(Path(sys.argv[1]), Path(sys.argv[2]), workers=int(sys.argv[3]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_is_killed_at_any_moment_goes_on(corpus, expected, tmp_path, monkeypatch, workers):
    root = Path(__file__).parents[3]
    file = tmp_path / "program.py"
    file.write_text("if __name__ == '__main__':\n" + "\n".join(f"    {line}" for line in PROGRAM.strip().splitlines()))
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, str(file), str(corpus), str(tmp_path / "run"), str(workers)]
    for delay in (0.5, 0.9, 1.3):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    monkeypatch.setattr(streams, "STREAM_BYTES", 100_000)
    for old in (tmp_path / "run/made").glob("*"):
        old.unlink()
    assert made(corpus, tmp_path / "run", workers=1) == expected
