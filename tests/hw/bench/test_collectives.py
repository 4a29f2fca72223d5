"""Collectives between real processes on this machine, and those that never come."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from aictl.core.errors import TryLater
from aictl.hw.bench import collectives, ranks
from aictl.hw.bench.ranks import Launch, launch

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500", "LOCAL_RANK": "1"}


@pytest.mark.parametrize(
    ("operation", "count", "factor"), [("all_reduce", 4, 1.5), ("all_gather", 4, 0.75), ("reduce_scatter", 8, 0.875)]
)
def test_bus_bandwidth_is_counted_as_nccl_tests_counts_it(operation, count, factor):
    assert collectives.bus_factor(operation, count) == factor


def test_a_launcher_is_known_by_its_variables():
    assert launch(TORCHRUN) == Launch(1, 4, "10.0.0.1", 29500, 1, False, "0")
    assert launch({**TORCHRUN, "WORLD_SIZE": "1"}) is None, "one process alone is no group"
    assert launch({**TORCHRUN, "RANK": "first"}) is None
    assert launch({}) is None


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_whoever_is_missing_is_named_when_the_time_is_up():
    port = free_port()
    other = threading.Thread(target=lambda: _joined(Launch(2, 4, "127.0.0.1", port, 2, False, "0")))
    other.start()
    with (
        pytest.raises(TryLater, match=r"ranks 1, 3 of 4 did not join within 1 s"),
        ranks.launched(Launch(0, 4, "127.0.0.1", port, 0, False, "0"), 1.0),
    ):
        pytest.fail("a group was formed of half its members")
    other.join()


def _joined(place):
    store = ranks._store(place, 5.0)
    ranks._join(store, place.rank, place.local_rank)


def test_without_a_first_process_the_others_say_where_they_looked():
    port = free_port()
    with pytest.raises(TryLater, match=f"rank 1 of 2 found no rank 0 within 0.3 s at 127.0.0.1:{port}"):
        ranks.follow(Launch(1, 2, "127.0.0.1", port, 1, False, "0"), 0.3)


@pytest.mark.slow
def test_every_operation_is_measured_between_two_processes_which_are_gone_afterwards():
    before = children()
    with ranks.started(2, "gloo", 60, 1) as joined, ranks.formed(joined, 60) as member:
        followers = set(children()) - set(before)
        rows = collectives.measure(member, "gloo", budget_s=0.02, usable_bytes=2**20, sizes=[1000, 2**14, 2**30])
    assert [(row["operation"], row["bytes"]) for row in rows] == [
        (name, size) for name in collectives.OPERATIONS for size in (1000, 2**14)
    ], "what does not fit is left out"
    for row in rows:
        assert row["seconds"] > 0
        assert row["algorithm_bytes_per_s"] == pytest.approx(row["bytes"] / row["seconds"])
        assert row["bus_bytes_per_s"] == pytest.approx(
            row["algorithm_bytes_per_s"] * collectives.bus_factor(row["operation"], 2)
        )
    assert len(followers) == 1
    assert not [pid for pid in followers if alive(pid)]


@pytest.mark.slow
def test_a_process_that_cannot_start_is_named_with_its_reason(monkeypatch):
    monkeypatch.setattr(ranks, "program", lambda *_: [sys.executable, "-c", "raise SystemExit('no such library')"])
    with (
        pytest.raises(TryLater, match="rank 1 ended with status 1 before it joined: no such library"),
        ranks.started(2, "gloo", 30, 1),
    ):
        pytest.fail("a group was formed without its other half")


SCRIPT = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell has put in the background ignores it
from aictl.hw.bench import ranks
with ranks.started(3, "gloo", 60, 1):
    print("joined", flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_bench_that_is_killed_takes_its_processes_with_it(how):
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert parent.stdout and parent.stdout.readline() == b"joined\n"
    followers = children(parent.pid)
    assert len(followers) == 2
    parent.send_signal(how)
    parent.communicate(timeout=60)
    until = time.monotonic() + 30
    while any(map(alive, followers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in followers if alive(pid)]


def children(pid=None):
    """The processes that one has started and that live."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == (pid or os.getpid()) and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
