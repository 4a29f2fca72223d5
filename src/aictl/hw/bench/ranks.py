"""The processes of the collectives: started here, or by torchrun on several hosts; joined, and gone at the end.

Whoever starts them, each says that it is there in a store that process 0 (or torchrun's agent) holds.
When the time is up, process 0 knows by name who is missing.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, NamedTuple

import torch
import torch.distributed as dist

from aictl.core.errors import TryLater
from aictl.hw.bench.collectives import Member
from aictl.hw.limited import program

LEAST_S = 5.0  # what forming a group may take once everybody is there
PATIENCE = timedelta(hours=2)  # how long a joined process waits while process 0 measures other things


class Launch(NamedTuple):
    """This process's place among those that a launcher started, by the variables that torchrun sets."""

    rank: int
    ranks: int
    host: str
    port: int
    local_rank: int
    agent_store: bool
    attempt: str


def launch(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """The launcher's word, or None where there is none (or it started one process alone)."""
    try:
        rank, ranks = int(environment["RANK"]), int(environment["WORLD_SIZE"])
        if ranks < 2:
            return None
        return Launch(
            rank,
            ranks,
            environment["MASTER_ADDR"],
            int(environment["MASTER_PORT"]),
            int(environment.get("LOCAL_RANK", rank)),
            environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
            environment.get("TORCHELASTIC_RESTART_COUNT", "0"),
        )
    except (KeyError, ValueError):
        return None


class Joined(NamedTuple):
    """A group in which everyone is there, as one process sees it; nothing is formed yet."""

    store: Any
    ranks: int
    backend: str
    device: str


# Process 0


@contextmanager
def launched(place: Launch, timeout_s: float) -> Iterator[Joined]:
    """Those that a launcher started, joined. Raises :class:`TryLater` that names who is missing."""
    store = _store(place, timeout_s)
    try:
        _join(store, place.rank, place.local_rank)
        _wait_for_all(store, place.ranks, timeout_s)
        said = [json.loads(store.get(f"joined/{rank}")) for rank in range(place.ranks)]
        # NCCL wants a GPU for every process, and never the same for two.
        nccl = all(one["local_rank"] < one["gpus"] for one in said) and dist.is_nccl_available()
        device = f"cuda:{place.local_rank}" if nccl else "cpu"
        yield Joined(store, place.ranks, "nccl" if nccl else "gloo", device)
    except BaseException as error:
        with suppress(RuntimeError):
            store.set("plan", json.dumps({"ended": getattr(error, "message", type(error).__name__)}))
        raise


@contextmanager
def started(ranks: int, backend: str, timeout_s: float, threads: int) -> Iterator[Joined]:
    """Processes of our own on this machine. They end with this one, however it ends."""
    server = dist.TCPStore("127.0.0.1", 0, None, True, timedelta(seconds=timeout_s), wait_for_workers=False)
    store = dist.PrefixStore(_keys("0"), server)
    others = [_process(rank, ranks, server.port, timeout_s, threads) for rank in range(1, ranks)]
    try:
        _join(store, 0, 0)
        _wait_for_all(store, ranks, timeout_s, others)
        yield Joined(store, ranks, backend, "cuda:0" if backend == "nccl" else "cpu")
    finally:
        for process in others:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0 if sys.exc_info()[0] else 5)
            process.kill()
            process.communicate()


@contextmanager
def formed(joined: Joined, timeout_s: float) -> Iterator[Member]:
    """Process 0 as a member, once the others were told to form the group as well."""
    joined.store.set("plan", json.dumps({"backend": joined.backend, "timeout_s": timeout_s}))
    with _group(joined, 0, timeout_s) as member:
        yield member


# The others


def follow(place: Launch, timeout_s: float) -> None:
    """Join, and do what process 0 says until it says stop."""
    store = _store(place, timeout_s)
    try:
        _join(store, place.rank, place.local_rank)
        store.wait(["plan"], PATIENCE)
        plan = json.loads(store.get("plan"))
    except RuntimeError as error:
        raise TryLater(f"rank {place.rank}: rank 0 ended or cannot be reached any more") from error
    if "ended" in plan:
        raise TryLater(f"rank {place.rank}: rank 0 ended: {plan['ended']}")
    device = f"cuda:{place.local_rank}" if plan["backend"] == "nccl" else "cpu"
    with _group(Joined(store, place.ranks, plan["backend"], device), place.rank, plan["timeout_s"]) as member:
        member.follow()


def follow_local(rank: int, ranks: int, port: int, timeout_s: float, threads: int) -> None:
    """The whole life of a process that :func:`started` has started. Its stdin is a pipe from there that says
    nothing: when it ends, so does this."""

    def watch() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    torch.set_num_threads(threads)
    follow(Launch(rank, ranks, "127.0.0.1", port, rank, True, "0"), timeout_s)


def _process(rank: int, ranks: int, port: int, timeout_s: float, threads: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        program("aictl.hw.bench.ranks", "follow_local", rank, ranks, port, timeout_s, threads),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us: the others end when we do
    )


# Both


def _store(place: Launch, timeout_s: float) -> Any:
    """The store, and its keys of this attempt: a launcher that starts again keeps what the first one said."""
    serves = place.rank == 0 and not place.agent_store
    try:
        if not serves:
            _wait_for_port(place.host, place.port, timeout_s)
        limit = timedelta(seconds=timeout_s)
        store = dist.TCPStore(place.host, place.port, None, serves, limit, wait_for_workers=False)
    except (RuntimeError, OSError) as error:
        said = "cannot hold the store" if serves else f"found no rank 0 within {timeout_s:g} s"
        raise TryLater(
            f"rank {place.rank} of {place.ranks} {said} at {place.host}:{place.port}: {_first_line(error)}",
            cure="is rank 0 running, is MASTER_ADDR its address, and is MASTER_PORT open between the hosts, and free?",
        ) from error
    return dist.PrefixStore(_keys(place.attempt), store)


def _wait_for_port(host: str, port: int, timeout_s: float) -> None:
    """Until somebody listens there: torch's own waiting writes a page of addresses to stderr when it gives up."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection((host, port), timeout=max(0.1, until - time.monotonic())).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _keys(attempt: str) -> str:
    """What our keys begin with: others may use the same store."""
    return f"aictl-bench-{attempt}"


def _join(store: Any, rank: int, local_rank: int) -> None:
    store.set(f"joined/{rank}", json.dumps({"gpus": torch.cuda.device_count(), "local_rank": local_rank}))


def _wait_for_all(store: Any, ranks: int, timeout_s: float, others: Sequence[subprocess.Popen[bytes]] = ()) -> None:
    until = time.monotonic() + timeout_s
    missing = list(range(ranks))
    while missing := [rank for rank in missing if not store.check([f"joined/{rank}"])]:
        for number, process in enumerate(others):
            if process.poll() is not None:
                assert process.stderr
                said = process.stderr.read().decode("utf-8", "replace").strip().splitlines()
                raise TryLater(
                    f"rank {number + 1} ended with status {process.returncode} before it joined"
                    + (f": {said[-1]}" if said else "")
                )
        if time.monotonic() > until:
            names = ", ".join(map(str, missing[:8])) + (" and others" if len(missing) > 8 else "")
            raise TryLater(
                f"{'rank' if len(missing) == 1 else 'ranks'} {names} of {ranks} did not join within {timeout_s:g} s",
                cure="start the same command on every host; --join-timeout-s sets how long to wait",
            )
        time.sleep(0.02)


@contextmanager
def _group(joined: Joined, rank: int, timeout_s: float) -> Iterator[Member]:
    """The process group: gloo, which carries what is told, and NCCL beside it where that is measured."""
    store, ranks, backend, device = joined
    limit = timedelta(seconds=max(timeout_s, LEAST_S))
    try:
        dist.init_process_group("gloo", store=store, rank=rank, world_size=ranks, timeout=limit)
        group = dist.new_group(backend="nccl", timeout=limit) if backend == "nccl" else None
        if device != "cpu":
            torch.cuda.set_device(device)
        yield Member(device, group)
    except RuntimeError as error:
        raise TryLater(
            f"the process group of {ranks} ranks broke on rank {rank}: {_first_line(error)}",
            cure="has another rank ended? GLOO_SOCKET_IFNAME and NCCL_SOCKET_IFNAME name the interface to use",
        ) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
