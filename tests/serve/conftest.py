"""Servers of the tiny chat model in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import httpx
import pytest

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.events import Events, Noted, silent
from aictl.serve.service import serve
from aictl.serve.spec import ServeSpec


@pytest.fixture
def notes() -> list[str]:
    """What the servers of a test told people."""
    return []


@pytest.fixture
def start(chat_model: Checkpoint, notes: list[str]) -> Iterator[Callable[..., str]]:
    """``start(max_queue=0)`` serves the tiny model on a free port and returns its URL."""
    started = []
    before = set(threading.enumerate())

    def begin(**options: object) -> str:
        events = Events(lambda event: notes.append(event.message) if isinstance(event, Noted) else None)
        running = serve(chat_model, ServeSpec(port=0, threads=1, **{"drain_timeout_s": 0, **options}), events)
        started.append(running)
        return next(running).strip()

    yield begin
    for running in started:
        running.close()
    assert {one for one in threading.enumerate() if one.name.startswith(("serve", "generate"))} <= before


@pytest.fixture(scope="session")
def url(chat_model: Checkpoint) -> Iterator[str]:
    """A server with default bounds that many tests share."""
    running = serve(chat_model, ServeSpec(port=0, threads=1, drain_timeout_s=0), silent)
    yield next(running).strip()
    running.close()


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
def ask() -> Callable[..., dict[str, object]]:
    """The body of a chat request."""
    return lambda **fields: {
        "model": "tiny",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 4,
        **fields,
    }
