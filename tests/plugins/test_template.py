"""The mould of a plugin, copied out and installed as a stranger would, is a working plugin."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOULD = ROOT / "plugins" / "_template"
Run = Callable[..., str]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy outside the checkout."""
    folder = tmp_path_factory.mktemp("plugin") / "aictl-draw"
    shutil.copytree(MOULD, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def python(copied: Path) -> Run:
    """Runs the Python of a fresh environment, which sees this one's packages and has the plugin installed."""
    if find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the plugin, is not installed, and nothing is fetched here")
    home = copied.parent / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    packages = sysconfig.get_path("purelib", vars={"base": str(home)})
    here = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    lines = [f"import site; site.addsitedir({one!r})" for one in sorted(here)]
    Path(packages, "outer.pth").write_text("\n".join(lines) + "\n")
    program = home / "bin" / "python"

    def run(*words: str | Path, cwd: Path = copied, expect: int = 0) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AICTL_", "PYTHON"))}
        done = subprocess.run(
            [program, *map(str, words)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout

    install = [sys.executable, "-m", "pip", "--python", program, "install", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*install, "--no-index", copied], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return run


@pytest.mark.slow
def test_installed_it_adds_its_command_to_the_group(python: Run) -> None:
    page = python("-m", "aictl", "data", "--help")
    assert re.search(r"prep\s+\w", page), "the group's own command is still there"
    assert re.search(r"draw\s+Draw documents at random from a dataset's train split\.", page)
    listed = python("-m", "aictl", "plugin", "ls", "--load")
    row = next(line for line in listed.splitlines() if line.startswith("command\tdata draw"))
    assert "aictl-draw\t0.1.0\tworks" in row
    options = python("-m", "aictl", "data", "draw", "--help")
    assert "--count" in options and "--name" in options


@pytest.mark.slow
def test_its_command_makes_an_artifact_with_a_lineage(python: Run, tmp_path: Path) -> None:
    files = []
    for number in range(30):
        files.append(tmp_path / f"{number}.txt")
        files[-1].write_text(f"Document {number}. " + "It has words that follow one another. " * 8)
    python("-m", "aictl", "init", tmp_path / "project", cwd=tmp_path)
    project = tmp_path / "project"
    python("-m", "aictl", "data", "prep", *files, "--name", "docs", cwd=project)
    made = Path(python("-m", "aictl", "data", "draw", "docs", "--count", "5", "--name", "few", cwd=project).strip())
    assert made.is_dir() and (project / "artifacts" / "dataset" / "few.ref").is_file()
    assert sum(len(path.read_text().splitlines()) for path in made.glob("train-*.jsonl")) == 5
    assert python("-m", "aictl", "artifact", "show", "few", "--get", "metrics.documents", cwd=project).strip() == "5"
    lineage = python("-m", "aictl", "artifact", "lineage", "few", cwd=project)
    assert "docs" in lineage and "0.txt" in lineage


@pytest.mark.slow
def test_its_own_tests_pass(python: Run, copied: Path) -> None:
    said = python("-m", "pytest", "-p", "no:cacheprovider", copied / "tests")
    assert re.search(r"\d+ passed", said)


PLUGIN = {"pyproject.toml", "src/aictl_draw/draw.py"}


@pytest.mark.parametrize(
    ("page", "quoted"), [("README.md", PLUGIN), ("docs/plugins.md", {*PLUGIN, "tests/test_draw.py"})]
)
def test_the_pages_show_the_mould_as_it_is(page: str, quoted: set[str]) -> None:
    shown = dict(re.findall(r"^`([\w/.-]+)`\n\n```\w+\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.M | re.S))
    assert set(shown) == quoted
    for name, text in shown.items():
        assert text == (MOULD / name).read_text("utf-8"), f"{page} shows another {name}"
