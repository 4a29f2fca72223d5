"""The operating system, Python, and the libraries that the verbs stand on; none of them is imported."""

from __future__ import annotations

import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from aictl.hw.files import read

PACKAGES = (
    *("aictl", "torch", "transformers", "tokenizers", "safetensors", "peft", "accelerate", "numpy", "onnx"),
    *("onnxruntime", "onnxruntime-gpu", "onnxruntime-genai", "onnxruntime-genai-cuda", "tensorrt", "tensorrt-rtx-cu13"),
    *("huggingface-hub", "nvidia-ml-py", "pydantic", "typer"),
)


def probe(root: Path = Path("/")) -> dict[str, Any]:
    """Versions by name; a package that is not installed is left out."""
    release = read(root / "etc/os-release") or ""
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', release, re.MULTILINE)
    libc = " ".join(platform.libc_ver()).strip()
    return {
        "system": name[1] if name else platform.system(),
        "kernel": platform.release(),
        "libc": libc or None,
        "container": _container(root),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "prefix": sys.prefix,
        "packages": _packages(),
    }


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _container(root: Path) -> str | None:
    """The kind of container, as the engines mark it, or None."""
    if (root / ".dockerenv").exists():
        return "docker"
    if (root / "run/.containerenv").exists():
        return "podman"
    groups = read(root / "proc/1/cgroup") or ""
    return next((name for name in ("kubepods", "docker", "containerd", "lxc") if name in groups), None)
