"""Programs for comparison, in folders of their own beside this environment's torch and transformers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def folder(name: str) -> Path:
    """Where the peers of ``NAME_peers.txt`` lie once :func:`install` was called: a place for PYTHONPATH."""
    return Path(sys.prefix) / f"{name}-peers"


def listed(name: str) -> Path:
    return Path(__file__).with_name(f"{name}_peers.txt")


def install(name: str) -> str | None:
    """Install what ``NAME_peers.txt`` lists, without what it depends on; why it cannot be had, or nothing."""
    if folder(name).is_dir():
        return None
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command = [*pip, "--target", folder(name), "-r", listed(name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else None
