"""The life of a server: listen, load the model, say where it is, serve, drain.

It listens before it loads: a port that is taken is found at once, and whoever watches ``/readyz``
sees a server that is getting ready instead of none.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from types import FrameType

from aictl.core.artifact import Artifact
from aictl.core.errors import WorkFailed
from aictl.core.events import Events
from aictl.inference.load import load, require_generator
from aictl.serve import web
from aictl.serve.admission import Admission
from aictl.serve.beside import Beside, command_line
from aictl.serve.endpoints import Desk
from aictl.serve.listener import Listener, bind, is_loopback, url
from aictl.serve.metrics import Metrics
from aictl.serve.model import ServedModel
from aictl.serve.spec import ServeSpec

_STOPPING = (signal.SIGTERM, signal.SIGINT)
_LOOK_S = 0.2  # how often the main thread looks whether the server has ended


def serve(artifact: Artifact, spec: ServeSpec, events: Events) -> Generator[str, None, int]:
    """Serve a model until SIGTERM or SIGINT, or until the program of ``spec.run`` has ended.

    Yields one line, the server's URL, once requests are answered; nothing if a program is run.
    Returns the exit status: the program's, else 0 after a clean drain and 128 plus the signal's
    number if answers were cut off. Closing the generator stops the server.

    Raises :class:`MachineLacks` for a port that is taken, and what loading the model raises.
    """
    require_generator(artifact, "serve")
    program = command_line(spec.run) if spec.run else None
    listening = bind(spec.host, spec.port)
    place, key = url(listening), spec.api_key.get_secret_value() if spec.api_key else None
    if key is None and not is_loopback(listening):
        events.noted("no API key is asked for, and other machines can reach this server", "warning")
    with _desk(spec, events) as desk, closing(Listener(web.build(desk), listening, spec.drain_timeout_s)) as listener:
        listener.start()
        events.started(f"load {artifact.label}")
        desk.model = ServedModel(artifact, load(artifact, threads=spec.threads, device=spec.device))
        events.finished(f"load {artifact.label}")
        if program:
            return _run_beside(program, place, key)
        with _stopped_by_signals(lambda number: listener.stop()) as came:
            yield place + "\n"
            _wait(listener, desk, events)
        if not came:
            raise WorkFailed("the server stopped by itself")
        if desk.cut_off:
            events.noted(f"answers that were cut off before they were finished: {desk.cut_off}", "warning")
            return 128 + came[0]
        return 0


@contextmanager
def _desk(spec: ServeSpec, events: Events) -> Iterator[Desk]:
    """The desk of one server; its threads are at rest and its model is closed when it is left."""
    threads = ThreadPoolExecutor(spec.max_concurrency, thread_name_prefix="generate")
    admission = Admission(spec.max_concurrency, spec.max_queue)
    desk = Desk(spec, events, threads, admission, Metrics(admission))
    try:
        yield desk
    finally:
        threads.shutdown()
        if desk.model:
            desk.model.generator.close()


def _wait(listener: Listener, desk: Desk, events: Events) -> None:
    told = False
    while not listener.ended(_LOOK_S):
        if listener.stopping and not told:
            told = True
            if unfinished := desk.admission.running + desk.admission.waiting:
                events.noted(f"stopping; requests that may finish first: {unfinished}")


def _run_beside(program: list[str], place: str, key: str | None) -> int:
    beside: Beside | None = None

    def pass_on(number: int) -> None:
        if beside:
            beside.pass_on(number)

    with _stopped_by_signals(pass_on) as came:
        beside = Beside(program, place, key)
        try:
            for number in list(came):  # that came before there was a program
                beside.pass_on(number)
            return beside.wait()
        finally:
            beside.end()


@contextmanager
def _stopped_by_signals(act: Callable[[int], object]) -> Iterator[list[int]]:
    """While it lasts, a signal that means the end calls ``act`` and is listed in what is yielded.
    In a thread other than the main one there are no signals, and nothing changes."""
    came: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        came.append(number)
        act(number)

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {number: signal.signal(number, handle) for number in _STOPPING}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
