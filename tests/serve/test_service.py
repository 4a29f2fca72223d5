"""A server as a process: its URL, its end by a signal, and the program it is run for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import NotFound
from aictl.core.events import silent
from aictl.serve.listener import bind
from aictl.serve.service import serve
from aictl.serve.spec import ServeSpec


@pytest.fixture
def launch(chat_workspace: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``launch("--port", "0")`` starts ``aictl serve tiny``; what still runs at the end is killed."""
    launched = []

    def begin(*words: str, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "aictl", "serve", "tiny", "--port", "0", "--threads", "1", *words],
            cwd=chat_workspace,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        launched.append(process)
        return process

    yield begin
    for process in launched:
        if process.poll() is None:
            process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = process.stdout.readline()
    assert line, process.communicate()
    return line


def until_it_generates(url: str) -> None:
    while "aictl_requests_running 1.0" not in httpx.get(f"{url}/metrics").text:
        time.sleep(0.01)


def run_beside(chat_model: Checkpoint, *words: str, **options: object) -> int:
    """The exit status of a program that is run against a server in this process."""
    running = serve(chat_model, ServeSpec(port=0, threads=1, run=list(words), **options), silent)
    with pytest.raises(StopIteration) as ended:
        next(running)
    return ended.value.value


@pytest.mark.slow
def test_sigterm_lets_the_running_answer_finish(launch, ask):
    process = launch()
    url = first_line(process).strip()
    with ThreadPoolExecutor(1) as threads:
        asked = ask(max_tokens=1500, stream=True)
        answer = threads.submit(httpx.post, f"{url}/v1/chat/completions", json=asked, timeout=60)
        until_it_generates(url)
        process.send_signal(signal.SIGTERM)
        reply = answer.result()
    assert reply.text.endswith("data: [DONE]\n\n")
    assert process.wait(20) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz")
    out, told = process.communicate()
    assert out == ""
    assert "Traceback" not in told and "may finish first" in told


@pytest.mark.slow
def test_an_answer_that_outlasts_the_drain_is_cut_off_and_said(launch, ask):
    process = launch("--drain-timeout-s", "0.2", "--json")
    url = json.loads(first_line(process))["url"]
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(httpx.post, f"{url}/v1/chat/completions", json=ask(max_tokens=2900), timeout=60)
        until_it_generates(url)
        process.send_signal(signal.SIGINT)
        reply = answer.result()
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "server_stopping")
    assert process.wait(20) == 128 + signal.SIGINT
    told = process.communicate()[1]
    assert "Traceback" not in told and "cut off before they were finished: 1" in told


@pytest.mark.slow
def test_it_listens_before_it_is_ready_and_lets_in_only_who_has_the_key(launch, chat_workspace):
    with bind("127.0.0.1", 0) as probe:
        port = probe.getsockname()[1]
    process = launch("--port", str(port), AICTL_SERVE_API_KEY="s3cret-in-env")
    url = f"http://127.0.0.1:{port}"
    seen = []
    while process.poll() is None and seen[-1:] != [200]:
        try:
            seen.append(httpx.get(f"{url}/readyz").status_code)
        except httpx.ConnectError:
            time.sleep(0.005)
    assert set(seen) == {503, 200}
    assert first_line(process).strip() == url
    assert httpx.get(f"{url}/v1/models").status_code == 401
    assert httpx.get(f"{url}/v1/models", headers={"Authorization": "Bearer s3cret-in-env"}).status_code == 200
    process.terminate()
    assert process.wait(20) == 0
    assert not holding(chat_workspace, b"s3cret")


def test_a_typed_key_is_kept_nowhere_when_the_run_fails(launch, chat_workspace, aictl):
    assert launch("--api-key", "s3cret-typed", "--host", "no.such.host.invalid").wait(60) == 2
    assert aictl("serve", "nothing", "--api-key", "s3cret-typed", cwd=chat_workspace).returncode == 3
    assert aictl("serve", "nothing", "--api-key=s3cret-typed", cwd=chat_workspace).returncode == 3
    assert holding(chat_workspace, b"no artifact is called")
    assert not holding(chat_workspace, b"s3cret")


def holding(folder: Path, text: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


CLIENT = """
import openai, sys
client = openai.OpenAI()
answer = client.chat.completions.create(
    model=client.models.list().data[0].id, messages=[{"role": "user", "content": "hi"}], max_tokens=3)
print("answered", answer.usage.completion_tokens)
sys.exit(7)
"""


@pytest.mark.parametrize("key", [None, "k"], ids=["open", "with a key"])
def test_a_program_is_run_against_the_server_and_its_exit_code_returned(chat_model, key, capfd):
    assert run_beside(chat_model, sys.executable, "-c", CLIENT, api_key=key) == 7
    assert capfd.readouterr().out == "answered 3\n"


def test_a_single_word_is_a_line_for_the_shell(chat_model, capfd):
    assert run_beside(chat_model, 'echo "$OPENAI_BASE_URL" && exit 3') == 3
    out = capfd.readouterr().out
    assert out.startswith("http://127.0.0.1:") and out.endswith("/v1\n")


def test_a_signal_goes_to_the_program_first(chat_model, tmp_path):
    up = tmp_path / "up"
    script = f"trap 'exit 9' TERM; touch {up}; while true; do sleep 0.05; done"

    def end() -> None:
        while not up.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    with ThreadPoolExecutor(1) as threads:
        ending = threads.submit(end)
        assert run_beside(chat_model, script) == 9
        ending.result()


def test_a_program_that_a_signal_ended_gives_its_number(chat_model):
    assert run_beside(chat_model, "kill -KILL $$") == 128 + signal.SIGKILL


def test_a_program_that_is_not_there_is_said_before_the_model_loads(chat_model):
    with pytest.raises(NotFound, match="no-such-program"):
        next(serve(chat_model, ServeSpec(port=0, run=["no-such-program", "x"]), silent))


def test_handlers_are_as_they_were_once_the_server_is_closed(chat_model):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    running = serve(chat_model, ServeSpec(port=0), silent)
    next(running)
    assert signal.getsignal(signal.SIGTERM) is not before[0]
    running.close()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
