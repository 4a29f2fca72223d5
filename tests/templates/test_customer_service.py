"""The customer-service app as a user gets it: from an installed wheel, outside the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCAFFOLD = ["app", "scaffold", "customer-service", "helpbot", "--model", "tiny", "--docs", "docs"]
CHECKOUT = Path(__file__).parents[2]


def run(*words: str | Path, cwd: Path, env: dict[str, str]) -> str:
    """A command's stdout; its stderr is shown if it fails."""
    done = subprocess.run(list(map(str, words)), cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> dict[str, str]:
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


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def scaffolded(installed, workspace) -> Path:
    words = [sys.executable, "-m", "aictl", *SCAFFOLD, "--json"]
    made = json.loads(run(*words, cwd=workspace, env=installed))
    assert (made["kind"], made["name"], made["up_to_date"]) == ("app", "helpbot", False)
    assert json.loads(run(*words, cwd=workspace, env=installed))["up_to_date"]
    return workspace / "helpbot"


def make(target: str, folder: Path, env: dict[str, str]) -> str:
    overrides = [f"PYTHON={sys.executable}", f"AICTL={sys.executable} -m aictl"]
    return run("make", target, *overrides, cwd=folder, env=env)


def test_its_own_tests_pass(scaffolded, installed):
    out = make("test", scaffolded, installed)
    assert re.search(r"\d{2} passed", out), out


def test_it_answers_through_the_served_model(scaffolded, installed):
    out = make("test-model", scaffolded, installed)
    assert "2 passed" in out, out


def test_its_lineage_and_edits_are_told(scaffolded, installed, workspace):
    def aictl(*words: str) -> str:
        return run(sys.executable, "-m", "aictl", *words, cwd=workspace, env=installed)

    lineage = aictl("artifact", "lineage", "helpbot")
    assert "tiny" in lineage and "docs" in lineage
    (scaffolded / "README.md").write_text("mine")
    checked = aictl("artifact", "check", "helpbot")
    assert "edited README.md" in checked
    path = aictl(*SCAFFOLD, "--title", "Desk")
    assert (scaffolded / "README.md").read_text() == "mine"
    assert (scaffolded / "README.md.new").read_text().startswith("# Desk")
    assert (Path(path) / "app.json").is_file()


def test_its_image_runs_what_there_is(scaffolded, installed):
    """No image can be built without a registry for its base; what it would copy and run is here."""
    text = (scaffolded / "Dockerfile").read_text()
    for source in re.findall(r"^COPY (\S+)", text, re.M):
        assert (scaffolded / source).exists()
    assert re.search(r"^USER app$", text, re.M)
    for command in re.findall(r"CMD (\[.*\])$", text, re.M):
        module = json.loads(command)[2]
        run(
            sys.executable,
            "-c",
            f"import importlib.util as i; assert i.find_spec({module!r})",
            cwd=scaffolded,
            env=installed,
        )


def test_every_key_of_the_page_is_reached(scaffolded):
    """The script asks for elements by their id: each is on the page."""
    script = (scaffolded / "app/static/page.js").read_text()
    page = (scaffolded / "app/static/index.html").read_text()
    for name in re.findall(r'getElementById\("([\w-]+)"\)', script):
        assert f'id="{name}"' in page, name
