"""`aictl export openvino` at the door: the contract, the runner, and the program itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from aictl.artifacts.onnx import OnnxModel
from aictl.core.command import Work
from aictl.core.errors import ExtraMissing
from aictl.core.events import silent
from aictl.testing.contract import check_command
from aictl.testing.workspace import Bench, workspace  # noqa: F401
from aictl_openvino.commands.export.openvino import command
from aictl_openvino.spec import OpenVinoSpec


def aictl(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AICTL_")}
    program = [sys.executable, "-m", "aictl", *words]
    return subprocess.run(program, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_contract() -> None:
    check_command(command, "aictl_openvino.commands.export.openvino")


def test_without_openvino_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)  # what Python has for a module that must not be imported
    with pytest.raises(ExtraMissing, match="openvino is not installed") as caught:
        command.run(Work(OpenVinoSpec(), {}, tmp_path, tmp_path, silent, None))
    assert caught.value.exit_code == 4
    assert "pip install" in str(caught.value.cure)


@pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed: pip install openvino")
@pytest.mark.slow
def test_it_is_stored_with_its_lineage_and_shown(workspace: Bench, texts: OnnxModel) -> None:  # noqa: F811
    workspace.keep(texts, name="tone-onnx")
    done = aictl("export", "openvino", "tone-onnx", "--precision", "fp16", "--name", "tone", cwd=workspace.root)
    assert done.returncode == 0, done.stderr
    place = Path(done.stdout.strip())
    assert json.loads((place / "openvino.json").read_text())["precision"] == "fp16"
    assert "tone-onnx" in aictl("artifact", "lineage", "tone", cwd=workspace.root).stdout
    shown = json.loads(aictl("model", "show", "tone", "--json", cwd=workspace.root).stdout)
    assert (shown["can"], shown["precision"]) == ("text-classification", "fp16")
    assert shown["metrics"]["parity"]["worst"] <= shown["metrics"]["parity"]["tolerance"]

    refused = aictl("export", "openvino", "tone", "--name", "again", cwd=workspace.root)
    assert refused.returncode == 2 and refused.stdout == ""
