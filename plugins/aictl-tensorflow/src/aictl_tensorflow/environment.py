"""Where TensorFlow is: in the environment that runs aictl, or in one of its own beside it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from aictl.core.errors import AictlError, BadInput, BadRequest, ExtraMissing, NotFound, WorkFailed

NEEDED = ("tensorflow", "tf2onnx", "keras", "onnx")
INSTALL = (
    "pip install 'aictl-tensorflow[tensorflow]', or beside it: python3 -m venv tf && "
    "tf/bin/pip install tensorflow-cpu 'keras>=3.14' tf2onnx, then --python tf/bin/python"
)
_ERRORS: dict[str, type[AictlError]] = {
    "BadInput": BadInput,
    "BadRequest": BadRequest,
    "ExtraMissing": ExtraMissing,
    "WorkFailed": WorkFailed,
}
_PROGRAM = Path(__file__).with_name("converter.py")


def find_python(named: Path | None) -> str:
    """The Python to run the converter with. Raises :class:`ExtraMissing` with the lines that install one,
    :class:`NotFound` for a ``named`` one that is not there."""
    if named is not None:
        found = shutil.which(str(named.expanduser()))
        if found is None:
            raise NotFound(f"--python {named} is no program", cure="give the path of a Python, such as tf/bin/python")
        # Not resolved: the link inside a virtual environment is what makes it one.
        return os.path.abspath(found)  # noqa: PTH100
    if lacking := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise ExtraMissing(f"{', '.join(lacking)} is not installed, and no --python is given", cure=INSTALL)
    return sys.executable


def ask(python: str, request: dict[str, Any]) -> dict[str, Any]:
    """Run the converter and return what it found out. Raises the error that it names, :class:`WorkFailed` with its
    last words if it ended without one."""
    result = Path(request["scratch"]) / "result.json"
    result.unlink(missing_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TF_", "KERAS_"))}
    environment = {**kept, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [python, "-I", str(_PROGRAM)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        check=False,
    )
    try:
        found = json.loads(result.read_text("utf-8"))
    except (OSError, ValueError) as error:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise WorkFailed(
            f"TensorFlow's process ended with {done.returncode}: {said[-1] if said else 'it said nothing'}",
            cure="the last lines may say why: " + " / ".join(said[-3:]) if said else None,
        ) from error
    if "error" in found:
        kind = _ERRORS.get(found.get("kind", ""), WorkFailed)
        raise kind(found["error"], cure=INSTALL if kind is ExtraMissing else None)
    return found
