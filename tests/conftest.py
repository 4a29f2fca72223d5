"""What every test stands on: no model hub, a cache of their own kind, a fresh workspace."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
for name in [name for name in os.environ if name.startswith("AICTL_") and name != "AICTL_CACHE"]:
    del os.environ[name]


@pytest.fixture
def project(tmp_path: Path):
    """A fresh workspace."""
    from aictl.workspace.project import create

    return create(tmp_path / "workspace")


@pytest.fixture
def aictl() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real program: ``aictl("artifact", "ls", cwd=...)``."""

    def run(
        *words: str | Path, cwd: Path, stdin: str | None = None, env: dict[str, str] | None = None, timeout: float = 300
    ):
        return subprocess.run(
            [sys.executable, "-m", "aictl", *map(str, words)],
            cwd=cwd,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
