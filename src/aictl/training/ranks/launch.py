"""Starting the processes: torch's elastic agent, which has each of them run the command line that was typed."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous.api import RendezvousError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from aictl.core.errors import BadRequest, TryLater
from aictl.core.events import Events
from aictl.training.ranks.team import nodes_of, processes_here
from aictl.training.spec import ParallelSpec

ELASTIC_RESTARTS = 3
GRACE_S = 120  # for the last checkpoint, before a process that was told to stop is killed
LAST_CALL_S = 10  # how long machines that may come are waited for, once enough are there
# A machine that was not heard of for three times as long is lost.
HEARTBEAT_S = 3
_AGAIN = "run the same command again, which goes on from the last checkpoint; --max-restarts N does so by itself"


def launch(spec: ParallelSpec, words: Sequence[str], events: Events) -> int | None:
    """Have the processes that ``spec`` asks for on this machine run ``aictl`` with ``words``; returns the exit status
    of the one that failed first, or 0. None where this process is enough.

    Raises :class:`BadRequest` for machines that do not know where to meet, and :class:`TryLater` for those that do not
    come in time and for a process that was killed.
    """
    processes, (fewest, most) = processes_here(spec), nodes_of(spec)
    if processes * most == 1:
        return None
    if most > 1 and spec.rdzv is None:
        raise BadRequest(f"--nnodes {spec.nnodes}: the machines need a place to meet", cure="--rdzv HOST:PORT")
    # Each round of processes meets at a port of its own, so that nothing is left there of the one before.
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(GRACE_S))
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // processes)))
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("torch.distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what is to be said is said below, in a line
    with tempfile.TemporaryDirectory(prefix="aictl-ranks-") as logs:
        config = LaunchConfig(
            min_nodes=fewest,
            max_nodes=most,
            nproc_per_node=processes,
            run_id="aictl",
            rdzv_backend="c10d",
            rdzv_endpoint=spec.rdzv or "localhost:0",
            rdzv_configs=_meeting(spec),
            max_restarts=restarts_of(spec),
            local_addr=_address(spec),
            logs_specs=DefaultLogsSpecs(log_dir=logs),
        )
        return _run(config, words, spec)


def _run(config: LaunchConfig, words: Sequence[str], spec: ParallelSpec) -> int:
    try:
        elastic_launch(config, sys.executable)("-m", "aictl", *words)
    except SignalException as stopped:
        return 128 + stopped.sigval
    except ChildFailedError as failed:
        rank, failure = failed.get_first_failure()
        if failure.exitcode > 0:
            return failure.exitcode  # it has said why
        number = -failure.exitcode
        if number in (signal.SIGTERM, signal.SIGINT):
            return 128 + number
        raise TryLater(
            f"rank {rank} (process {failure.pid}) was killed by {signal.Signals(number).name}", cure=_AGAIN
        ) from failed
    except RendezvousError as error:
        at = f" at {spec.rdzv}" if spec.rdzv else ""
        why = f": {error}" if str(error) else ""  # a time that ran out has no more to say
        raise TryLater(
            f"fewer than {config.min_nodes} machines met{at} within {spec.process_timeout_s:g} s{why}",
            cure="is the same command given on each, and the address reachable? --process-timeout-s waits longer",
        ) from error
    return 0


def restarts_of(spec: ParallelSpec) -> int:
    """How often lost processes are started again."""
    fewest, most = nodes_of(spec)
    if spec.max_restarts is not None:
        return spec.max_restarts
    return ELASTIC_RESTARTS if fewest < most else 0


def _meeting(spec: ParallelSpec) -> dict[str, Any]:
    seconds = math.ceil(spec.process_timeout_s)  # torch takes whole ones
    return {
        "join_timeout": seconds,
        "last_call_timeout": min(LAST_CALL_S, seconds),
        "timeout": seconds,
        "read_timeout": seconds,
        "keep_alive_interval": HEARTBEAT_S,
    }


def _address(spec: ParallelSpec) -> str | None:
    """Where this machine's processes are found by the others; None for its own name."""
    host = spec.rdzv.rpartition(":")[0] if spec.rdzv else "localhost"
    return host if host in ("localhost", "127.0.0.1") else None
