"""A real Ray cluster of two workers makes the same dataset as one process, also where a worker is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from tests.data.prep.test_running import corpus, expected, made, many  # noqa: F401  (fixtures)

from aictl.core.errors import TryLater
from aictl.core.events import Events, Noted

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'aictl[ray]'")

pytestmark = [pytest.mark.slow, pytest.mark.integration]


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    """Ray keeps its sockets under a path that may not be long."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


def test_the_dataset_is_the_same(corpus, expected, tmp_path, many, two_workers):  # noqa: F811
    assert made(corpus, tmp_path, on="ray") == expected


def test_a_worker_that_is_killed_loses_nothing(corpus, expected, tmp_path, many, two_workers):  # noqa: F811
    told, killed, stop = [], [], threading.Event()

    def kill() -> None:
        while not stop.is_set() and not killed:
            for place in Path("/proc").glob("[0-9]*"):
                try:
                    title = (place / "cmdline").read_text()
                except OSError:
                    continue
                if title.startswith("ray::_chunks"):
                    os.kill(int(place.name), signal.SIGKILL)
                    killed.append(place.name)
                    return
            time.sleep(0.005)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        assert made(corpus, tmp_path, events=Events(told.append), on="ray") == expected
    finally:
        stop.set()
        killer.join()
    assert killed
    assert any(isinstance(event, Noted) and "a worker died" in event.message for event in told)


def test_what_is_wrong_with_the_input_is_said_as_on_one_machine(corpus, tmp_path, many, two_workers):  # noqa: F811
    from aictl.core.errors import BadInput

    with pytest.raises(BadInput, match=r"\d\.jsonl:11: broken JSON"):
        made(corpus, tmp_path, on="ray", strict=True)


def test_no_cluster_there_is_for_later(corpus, tmp_path, many):  # noqa: F811
    if ray.is_initialized():
        ray.shutdown()
    with pytest.raises(TryLater, match="no Ray cluster answers at ray://127.0.0.1:9"):
        made(corpus, tmp_path, on="ray://127.0.0.1:9")
