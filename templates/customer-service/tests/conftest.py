"""The app as a process of its own on a free port, and a model server beside it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = str(ROOT / "tests" / "documents.jsonl")


@contextmanager
def serving(target: str, path: str, folder: Path = ROOT, **env: str) -> Iterator[str]:
    """Run an ASGI application until it is left; yields its URL once ``path`` answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "uvicorn", target, "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(words, cwd=folder, env={**os.environ, **env})
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 60
        while True:
            try:
                httpx.get(url + path, timeout=5)
                break
            except httpx.TransportError:
                assert process.poll() is None and time.monotonic() < end, f"{target} did not start"
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def model_url() -> Iterator[str]:
    with serving("model_server:server", "/v1/models/rule", ROOT / "tests") as url:
        yield url


@pytest.fixture(scope="session")
def app_url(model_url: str) -> Iterator[str]:
    """The app over the documents and the model server of the tests."""
    env = {"OPENAI_BASE_URL": f"{model_url}/v1", "MODEL": "rule", "DOCUMENTS": DOCUMENTS}
    with serving("app.main:app", "/healthz", **env) as url:
        yield url


@pytest.fixture(scope="session")
def ask() -> Callable[[str, str], list[dict]]:
    """``ask(url, question)`` gives the events of an answer."""

    def events(url: str, question: str) -> list[dict]:
        reply = httpx.post(f"{url}/api/answers", json={"question": question}, timeout=300)
        assert reply.status_code == 200, reply.text
        return [json.loads(line) for line in reply.text.splitlines()]

    return events


@pytest.fixture(scope="session")
def own_question() -> str:
    """A question about words of the first of the app's own documents."""
    from app import retrieval, settings

    text, _ = next(retrieval.documents(settings.DOCUMENTS))
    return " ".join(list(dict.fromkeys(retrieval.words(text)))[:5])
