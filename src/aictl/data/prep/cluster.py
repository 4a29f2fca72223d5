"""Streams worked off on a Ray cluster: chunks come back from its workers and are put on the shelf here.

The workers read the sources themselves, so that they have to see them: a folder that all machines share, or a store.
They run the same aictl. A worker that dies is replaced by Ray, and its stream goes on from the chunks that are here.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError, WorkerCrashedError

import aictl
from aictl.core.errors import AictlError, MachineLacks, TryLater, WorkFailed
from aictl.data.prep.route import process
from aictl.data.prep.running import Progress
from aictl.data.prep.shelf import Begun, Filled, Shelf
from aictl.data.prep.steps import Job
from aictl.data.prep.streams import Stream

MOST_DEATHS = 3  # of one stream's workers, after which something is wrong with it
UNREAD = 2  # chunks that a worker may be ahead of what is taken from it, which bounds memory


def run(streams: Sequence[Stream], job: Job, shelf: Shelf, progress: Progress, on: str) -> None:
    """``on`` is ``ray`` for a cluster that is running here or else is started, or ``ray://HOST:PORT``.

    Raises :class:`TryLater` if there is no cluster at that address, :class:`MachineLacks` if its workers do not
    see a source, and :class:`WorkFailed` if they keep dying.
    """
    started = not ray.is_initialized()
    if started:
        _join(on)
    try:
        _work(streams, ray.put(job), shelf, progress)
    finally:
        if started:
            ray.shutdown()


def _join(on: str) -> None:
    try:
        ray.init(None if on == "ray" else on, log_to_driver=False, logging_level="ERROR", include_dashboard=False)
    except (ConnectionError, RayError, ValueError) as error:
        raise TryLater(f"no Ray cluster answers at {on}: {error}", cure="ray status; or leave out --on") from error


def _work(streams: Sequence[Stream], job: Any, shelf: Shelf, progress: Progress) -> None:
    """Take chunks from all workers as they come."""
    waiting = list(reversed(streams))
    deaths: dict[int, int] = {}
    open: dict[Any, Stream] = {}
    most = max(1, int(ray.cluster_resources().get("CPU", 1)))
    task = ray.remote(max_retries=0, num_returns="streaming", _generator_backpressure_num_objects=UNREAD)(_chunks)
    read = 0
    while waiting or open:
        while waiting and len(open) < most:
            stream = waiting.pop()
            open[task.remote(stream, job, shelf.begun(stream.number), aictl.__version__)] = stream
        (ready,), _ = ray.wait(list(open), num_returns=1)
        stream = open[ready]
        try:
            chunk, characters = ray.get(next(ready))
        except StopIteration:
            del open[ready]
        except RayTaskError as error:
            raise _ours(error) from error
        except (WorkerCrashedError, RayError) as error:
            del open[ready]
            deaths[stream.number] = deaths.get(stream.number, 0) + 1
            if deaths[stream.number] == MOST_DEATHS:
                raise WorkFailed(f"{MOST_DEATHS} workers died over the same documents: {error}") from error
            progress.events.noted("a worker died; its work goes on from what had come of it", "warning")
            waiting.append(stream)
        else:
            shelf.put(chunk)
            read += characters
            progress(read)


def _ours(error: RayTaskError) -> BaseException:
    """What was raised in the task."""
    cause = error.cause
    return cause if isinstance(cause, AictlError) else WorkFailed(f"a worker failed: {cause}")


def _chunks(stream: Stream, job: Job, begun: Begun, version: str) -> Iterator[tuple[Filled, int]]:
    """Runs on a worker: each chunk, and how many characters were read for it."""
    if version != aictl.__version__:
        raise MachineLacks(
            f"{socket.gethostname()} has aictl {aictl.__version__}, and this is {version}",
            cure="install the same on every machine of the cluster",
        )
    here = [file.path for file in stream.files if not file.lost and not file.opens]
    for path in [stream.dataset.folder] if stream.dataset else here:
        if not path.exists():
            raise MachineLacks(
                f"{socket.gethostname()}, a worker, does not see {path}",
                cure="put the sources into a folder that all machines share, or a store such as s3://",
            )
    read = 0

    def advanced(characters: int) -> None:
        nonlocal read
        read += characters

    for chunk in process(stream, job, begun, advanced):
        yield chunk, read
        read = 0
