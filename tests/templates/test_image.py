"""The scaffolded app's image: built by a container engine, and run beside a served model.

The base image must be there already: what a registry does today is nothing to test.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.integration]

IMAGE = "aictl-test-helpbot"
# As strict as a platform may be: no rights, and a disk that cannot be written.
STRICT = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]


@pytest.fixture(scope="session")
def client() -> str:
    """The container engine's client, where there is an engine."""
    program = shutil.which("docker")
    if program is None:
        pytest.skip("no docker client is installed")
    engine = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    if engine.returncode != 0:
        pytest.skip(f"no container engine: {engine.stderr.strip()}")
    return program


@pytest.fixture(scope="module")
def docker(client, run, installed, scaffolded) -> Callable[..., str]:
    """Runs the client in the app's folder, where the base image is there too."""
    (base,) = re.findall(r"^FROM (\S+)", (scaffolded / "Dockerfile").read_text(), re.M)
    if subprocess.run([client, "image", "inspect", base], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"the base image is not here; to run this test: docker pull {base}")
    return lambda *words: run(client, *words, cwd=scaffolded, env=installed)


@pytest.fixture(scope="module")
def image(docker) -> Iterator[str]:
    docker("build", "--network", "host", "--tag", IMAGE, ".")
    yield IMAGE
    docker("image", "rm", "--force", IMAGE)


@pytest.fixture
def model_url(workspace, installed) -> Iterator[str]:
    words = [sys.executable, "-m", "aictl", "serve", "tiny", "--port", "0"]
    with subprocess.Popen(words, cwd=workspace, env=installed, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield server.stdout.readline().strip()
        server.terminate()


def test_a_strict_container_answers_and_stops_when_told(docker, image, model_url):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {"OPENAI_BASE_URL": f"{model_url}/v1", "UVICORN_PORT": port, "UVICORN_HOST": "127.0.0.1", "MAX_TOKENS": 20}
    settings = [word for name, value in env.items() for word in ("--env", f"{name}={value}")]
    container = docker("run", "--detach", "--network", "host", "--health-interval", "1s", *STRICT, *settings, image)
    try:
        state = {"Health": {"Status": "starting"}, "Running": True}
        end = time.monotonic() + 120
        while state["Running"] and state["Health"]["Status"] == "starting" and time.monotonic() < end:
            time.sleep(0.2)
            (state,) = json.loads(docker("inspect", "--format", "[{{json .State}}]", container))
        assert state["Health"]["Status"] == "healthy", (state, docker("logs", container))
        assert docker("exec", container, "id", "-u") != "0"

        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            assert "/static/page.js" in http.get("/").text
            assert http.get("/api/status").json()["problem"] is None
            reply = http.post("/api/answers", json={"question": "Which errors has the exit code 3?"})
            first, *words, last = map(json.loads, reply.text.splitlines())
            assert "core/errors.py" in {passage["source"] for passage in first["passages"]}
            assert words and last == {"done": True}

            docker("stop", "--time", "60", container)  # past that, it would be killed and exit 137
        assert docker("inspect", "--format", "{{.State.ExitCode}}", container) == "0"
    finally:
        docker("rm", "--force", container)
