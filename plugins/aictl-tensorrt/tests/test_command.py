"""`aictl optimize trt` at the door: the contract, the runner, and the program itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from aictl.artifacts.onnx import OnnxModel
from aictl.testing.contract import check_command
from aictl.testing.workspace import Bench, workspace  # noqa: F401
from aictl_tensorrt.commands.optimize.trt import command

needs_rtx = pytest.mark.skipif(
    find_spec("tensorrt_rtx") is None, reason="TensorRT-RTX is not installed: pip install 'aictl-tensorrt[rtx]'"
)


def aictl(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AICTL_")}
    program = [sys.executable, "-m", "aictl", *words]
    return subprocess.run(program, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_contract() -> None:
    check_command(command, "aictl_tensorrt.commands.optimize.trt")


def test_help_lists_it_beside_our_own(tmp_path: Path) -> None:
    page = aictl("optimize", "--help", cwd=tmp_path)
    assert page.returncode == 0
    assert "trt" in page.stdout and "quantize" in page.stdout


@needs_rtx
@pytest.mark.slow
def test_engine_is_stored_with_its_lineage_and_made_once(workspace: Bench, exported: OnnxModel) -> None:  # noqa: F811
    workspace.keep(exported, name="support-onnx")
    first = aictl(
        "optimize", "trt", "support-onnx", "--max-sequence", "32", "--name", "support-trt", cwd=workspace.root
    )
    assert first.returncode == 0, first.stderr
    place = Path(first.stdout.strip())
    facts = json.loads((place / "engine.json").read_text())
    assert (facts["builder"], facts["max_sequence"]) == ("rtx", 32)
    engine = (place / "model.engine").stat()

    again = aictl(
        "optimize", "trt", "support-onnx", "--max-sequence", "32", "--name", "support-trt", cwd=workspace.root
    )
    assert again.stdout == first.stdout
    assert (place / "model.engine").stat().st_mtime_ns == engine.st_mtime_ns
    lineage = aictl("artifact", "lineage", "support-trt", cwd=workspace.root)
    assert "support-onnx" in lineage.stdout


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed here")
@pytest.mark.slow
def test_a_builder_that_is_not_there_exits_with_5_and_leaves_nothing(workspace: Bench, exported: OnnxModel) -> None:  # noqa: F811
    workspace.keep(exported, name="support-onnx")
    done = aictl("optimize", "trt", "support-onnx", "--builder", "tensorrt", "--name", "no", cwd=workspace.root)
    assert done.returncode == 5 and done.stdout == ""
    assert "TensorRT is not installed" in done.stderr
    assert "pip install 'aictl-tensorrt[tensorrt]'" in done.stderr
    assert not (workspace.root / "artifacts" / "engine" / "no.ref").exists()
