"""Two workspaces, such as those of two jobs, and a store between them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TEXT = "a sentence that is long enough to be kept by the default minimum of characters, number "


@pytest.fixture
def jobs(tmp_path: Path, aictl) -> tuple[Path, Path]:
    """The roots of two workspaces; the first has raw notes, and a dataset "notes" of them."""
    first, second = tmp_path / "first", tmp_path / "second"
    for root in (first, second):
        aictl("init", root, cwd=tmp_path)
    (first / "raw").mkdir()
    for number in range(40):
        (first / f"raw/{number}.txt").write_text(f"{TEXT}{number}")
    done = aictl("data", "prep", "raw", "--name", "notes", cwd=first)
    assert done.returncode == 0, done.stderr
    return first, second


@pytest.fixture
def heavy(jobs, write_dataset) -> Path:
    """The first workspace with a dataset "heavy" of 70 MB that nothing packs together."""
    first, _ = jobs
    made = write_dataset("heavy", "text", {"train": [{"text": "x", "source": "y"}]})
    (made.folder / "train-00000.jsonl").write_text(
        "".join(json.dumps({"text": os.urandom(2**19).hex(), "source": "y"}) + "\n" for _ in range(70))
    )
    keep = f"""
import shutil, sys
from pathlib import Path
from aictl.artifacts.dataset import Dataset
from aictl.core.command import Command, NoOptions
from aictl.core.events import silent
from aictl.workspace.project import Project
from aictl.workspace.run import Request, Runner
def copy(work):
    shutil.copytree({str(made.folder)!r}, work.folder, dirs_exist_ok=True)
    return Dataset(work.folder)
command = Command(run=copy, makes=(Dataset,))
Runner(Project(Path({str(first)!r})), silent).run(Request("copy", command, NoOptions(), name="heavy"))
"""
    subprocess.run([sys.executable, "-c", keep], check=True)
    return first


@pytest.fixture
def begun() -> Callable[..., subprocess.Popen[str]]:
    """Starts the real program and does not wait for it."""

    def start(*words: str | Path, cwd: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "aictl", *map(str, words)],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start
