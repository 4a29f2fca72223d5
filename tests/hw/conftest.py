"""Machines made of small files, as a kernel would show them, and a library that stands in for NVIDIA's.

``machines/*.txt`` are such machines: a line is ``path = content``, with ``\\n`` for a new line, or
``path -> target`` for a link; ``#`` begins a comment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def write(root: Path, files: Mapping[str, str], links: Mapping[str, str]) -> Path:
    root.mkdir(exist_ok=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for name, to in links.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_symlink():
            path.symlink_to(os.path.relpath(root / to, path.parent))
    return root


def parsed(text: str) -> tuple[dict[str, str], dict[str, str]]:
    files, links = {}, {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, arrow, to = line.partition(" -> ")
        if arrow:
            links[name.strip()] = to.strip()
        else:
            name, _, content = line.partition(" = ")
            files[name.strip()] = content.replace("\\n", "\n").replace("\\t", "\t")
    return files, links


@pytest.fixture
def machine(tmp_path):
    """``machine({"proc/meminfo": "..."})`` writes files below a folder that stands for ``/``;
    ``machine("tpu")`` writes those of machines/tpu.txt, and the rest goes over them."""

    def make(files, more=None):
        links = {}
        if isinstance(files, str):
            files, links = parsed((HERE / "machines" / f"{files}.txt").read_text())
        files = {**files, **(more or {})}
        return write(tmp_path / "root", {name: text for name, text in files.items() if name not in links}, links)

    return make


@pytest.fixture(scope="session")
def nvml_folder(tmp_path_factory) -> Path:
    """The stand-in for NVIDIA's library, compiled, in a folder for LD_LIBRARY_PATH."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build the stand-in with")
    folder = tmp_path_factory.mktemp("nvml")
    source, library = HERE / "nvml_stand_in.c", folder / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", library, source], check=True)
    return folder


@pytest.fixture
def nvml(nvml_folder):
    """``nvml("lost=3")`` is the environment in which that is so."""

    def environment(says: str = "") -> dict[str, str]:
        return {"LD_LIBRARY_PATH": str(nvml_folder), "NVML_STAND_IN": says}

    return environment
