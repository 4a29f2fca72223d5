"""`aictl model tensorflow` at the door."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from aictl.testing.contract import check_command
from aictl.testing.workspace import Bench, workspace  # noqa: F401
from aictl_tensorflow.commands.model.tensorflow import command


def aictl(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "aictl", *map(str, words)]
    return subprocess.run(program, cwd=cwd, capture_output=True, text=True, check=False)


def test_contract() -> None:
    check_command(command, "aictl_tensorflow.commands.model.tensorflow")


def test_help_lists_it_beside_our_own(tmp_path: Path) -> None:
    page = aictl("model", "--help", cwd=tmp_path)
    assert "tensorflow" in page.stdout and "add" in page.stdout


@pytest.mark.skipif(find_spec("tensorflow") is not None, reason="TensorFlow is installed here")
def test_without_tensorflow_it_exits_with_4_and_says_how_to_get_it(workspace: Bench) -> None:  # noqa: F811
    folder = workspace.folder("saved")
    (folder / "saved_model.pb").write_bytes(b"x")
    done = aictl("model", "tensorflow", folder, "--name", "no", cwd=workspace.root)
    assert done.returncode == 4 and done.stdout == ""
    assert "pip install 'aictl-tensorflow[tensorflow]'" in done.stderr and "--python" in done.stderr


@pytest.mark.integration
@pytest.mark.slow
def test_a_model_is_made_once_with_its_lineage(workspace: Bench, models: Path, python: str) -> None:  # noqa: F811
    words = ("model", "tensorflow", models / "digits.keras", "--samples", models / "held_out.npz")
    words = (*words, "--can", "image-classification", "--name", "digits", "--python", python)
    first = aictl(*words, cwd=workspace.root)
    assert first.returncode == 0, first.stderr
    again = aictl(*words, cwd=workspace.root)
    assert again.stdout == first.stdout and again.stderr == ""  # up to date: nothing is done
    assert "held_out.npz" in aictl("artifact", "lineage", "digits", cwd=workspace.root).stdout
    shown = aictl("model", "ls", cwd=workspace.root).stdout
    assert "image-classification" in shown
    for verb in (("generate", "digits", "hello"), ("serve", "digits"), ("optimize", "quantize", "digits")):
        refused = aictl(*verb, cwd=workspace.root)
        assert refused.returncode == 2 and "is for image-classification" in refused.stderr
