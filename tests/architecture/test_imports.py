"""One direction of imports, and no heavy library where looking must stay cheap."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "aictl"

# What may be absent: a bare `pip install aictl` probes, lists and explains with none of it.
OPTIONAL = (
    "torch",
    "transformers",
    "tokenizers",
    "gigatoken",
    "safetensors",
    "peft",
    "bitsandbytes",
    "numpy",
    "orjson",
    "backports",
    "re2",
    "ray",
    "pyarrow",
    "pypdfium2",
    "brotli",
    "PIL",
    "scipy",
    "onnx",
    "onnx_ir",
    "onnxscript",
    "onnxruntime",
    "onnxruntime_genai",
    "gguf",
    "huggingface_hub",
    "yaml",
    "ahocorasick_rs",
    "phonenumbers",
    "py3langid",
    "ftfy",
    "chardet",
    "jinja2",
    "copier",
    "starlette",
    "uvicorn",
    "psutil",
    "pynvml",
    "matplotlib",
    "torchao",
    "tensorboard",
    "mlflow",
    "wandb",
    "trackio",
    "polars",
    "httpx",
    "fsspec",
    "s3fs",
    "botocore",
    "hdfs_native",
    "requests",
    "sacrebleu",
    "rouge_score",
    "lm_eval",
    "datasets",
    "gcsfs",
    "adlfs",
)
LIGHT_ROOMS = ("core", "artifacts", "workspace", "commands", "cli", "testing")

WITHOUT = """
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

absent = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Absent())
failed = []
for name in sys.argv[2:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        failed.append(f"{name}: {type(error).__name__}: {error}")
print("\\n".join(failed))
sys.exit(bool(failed))
"""


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def light_modules() -> list[str]:
    rooms = [path for room in LIGHT_ROOMS for path in sorted((PACKAGE / room).rglob("*.py"))]
    specs = [path for path in sorted(PACKAGE.rglob("spec.py")) if path not in rooms]
    return [dotted(path) for path in rooms + specs]


def test_import_contracts_hold():
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists() and shutil.which("lint-imports") is None:
        pytest.skip("import-linter is not installed: pip install 'aictl[lint]'")
    command = [str(program) if program.exists() else "lint-imports", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_specs_commands_and_the_rooms_beneath_import_without_any_extra():
    modules = light_modules()
    assert len(modules) > 40
    command = [sys.executable, "-c", WITHOUT, ",".join(OPTIONAL), *modules]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": ""})
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_absence_is_real():
    """The test above can fail: a module that needs torch does, under the same blocker."""
    command = [sys.executable, "-c", WITHOUT, ",".join(OPTIONAL), "aictl.training.loop"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "aictl.training.loop: ModuleNotFoundError: No module named" in done.stdout
