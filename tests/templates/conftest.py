"""The customer-service app, scaffolded by a wheel of this checkout into a workspace of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCAFFOLD = ["app", "scaffold", "customer-service", "helpbot", "--model", "tiny", "--docs", "docs"]
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def run() -> Callable[..., str]:
    """Runs a command and gives its stdout; its stderr is shown if it fails."""

    def run(*words: str | Path, cwd: Path, env: dict[str, str]) -> str:
        done = subprocess.run(list(map(str, words)), cwd=cwd, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def scaffold() -> list[str]:
    """The words that made the app."""
    return SCAFFOLD


@pytest.fixture(scope="session")
def installed(run, tmp_path_factory) -> dict[str, str]:
    """The environment in which ``aictl`` is what a wheel of this checkout holds."""
    place = tmp_path_factory.mktemp("wheel")
    env = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    pip = [sys.executable, "-m", "pip", "-q"]
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", place, CHECKOUT, cwd=place, env=env)
    (wheel,) = place.glob("*.whl")
    run(*pip, "install", "--no-deps", "--target", place / "site", wheel, cwd=place, env=env)
    env["PYTHONPATH"] = str(place / "site")
    where = run(sys.executable, "-c", "import aictl; print(aictl.__file__)", cwd=place, env=env)
    assert Path(where).is_relative_to(place)
    return env


@pytest.fixture(scope="session")
def workspace(chat_model, tmp_path_factory) -> Path:
    """A workspace with the tiny chat model and a dataset of three documents."""
    from aictl.artifacts.checkpoint import Checkpoint
    from aictl.artifacts.dataset import Dataset, DatasetWriter
    from aictl.core.command import Command, NoOptions
    from aictl.core.events import silent
    from aictl.workspace.project import create
    from aictl.workspace.run import Request, Runner

    def model(work) -> Checkpoint:
        shutil.copytree(chat_model.folder, work.folder, dirs_exist_ok=True)
        return Checkpoint(work.folder)

    def docs(work) -> Dataset:
        with DatasetWriter(work.folder, "text") as writer:
            for name in ("errors", "command", "artifact"):
                text = (CHECKOUT / f"src/aictl/core/{name}.py").read_text("utf-8")
                writer.add("train", {"text": text, "source": f"core/{name}.py"})
        return Dataset(work.folder)

    project = create(tmp_path_factory.mktemp("user") / "helpdesk")
    runner = Runner(project, silent)
    runner.run(Request("model", Command(run=model, makes=(Checkpoint,)), NoOptions(), name="tiny"))
    runner.run(Request("docs", Command(run=docs, makes=(Dataset,)), NoOptions(), name="docs"))
    return project.root


@pytest.fixture(scope="session")
def scaffolded(run, installed, workspace) -> Path:
    """The working copy of the app."""
    words = [sys.executable, "-m", "aictl", *SCAFFOLD, "--json"]
    made = json.loads(run(*words, cwd=workspace, env=installed))
    assert (made["kind"], made["name"], made["up_to_date"]) == ("app", "helpbot", False)
    assert json.loads(run(*words, cwd=workspace, env=installed))["up_to_date"]
    return workspace / "helpbot"
