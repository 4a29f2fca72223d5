"""The operating system, Python, and the libraries that the verbs stand on; none of them is imported."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from aictl.hw.files import children, read, target
from aictl.hw.limited import Reply

PACKAGES = (
    *("aictl", "torch", "transformers", "tokenizers", "safetensors", "peft", "accelerate", "numpy", "onnx"),
    *("onnxruntime", "onnxruntime-gpu", "onnxruntime-rocm", "onnxruntime-openvino", "onnxruntime-directml"),
    *("onnxruntime-genai", "onnxruntime-genai-cuda", "tensorrt", "tensorrt-cu12", "tensorrt-cu13"),
    *("tensorrt-rtx", "tensorrt-rtx-cu12", "tensorrt-rtx-cu13", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime"),
    *("huggingface-hub", "nvidia-ml-py", "triton", "deepspeed", "vllm", "jax", "pydantic", "typer"),
)


def probe(root: Path = Path("/"), replies: dict[str, Reply] | None = None) -> dict[str, Any]:
    """Versions by name; a package that is not installed is left out. ``replies`` are the answers of
    :mod:`aictl.hw.loading`: ``providers``, and ``torch`` where it was asked."""
    release = read(root / "etc/os-release") or ""
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', release, re.MULTILINE)
    libc = " ".join(platform.libc_ver()).strip()
    packages = _packages()
    replies = replies or {}
    return {
        "system": name[1] if name else platform.system(),
        "kernel": platform.release(),
        "libc": libc or None,
        "container": _container(root),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "prefix": sys.prefix,
        "torch": {**torch_build(), **_said(replies.get("torch"))},
        "onnxruntime": {
            "installed": {name: packages[name] for name in packages if _is_runtime(name)},
            **_said(replies.get("providers")),
        },
        "cuda": _cuda(root, packages),
        "tensorrt": _tensorrt(root, packages),
        "packages": packages,
    }


def torch_build() -> dict[str, Any]:
    """What torch was built for, read from its version file: importing it takes seconds."""
    folder = found("torch")
    if folder is None:
        return {"state": "absent"}
    text = read(folder / "version.py") or ""
    about = dict(re.findall(r"^(\w+)(?::[^=\n]*)? = '([^'\n]*)'", text, re.MULTILINE))
    kinds = (("cuda", "cuda"), ("hip", "rocm"), ("xpu", "xpu"))
    build = next((kind for name, kind in kinds if name in about), "cpu")
    return {
        "state": "present",
        "version": about.get("__version__"),
        "build": build,
        "cuda": about.get("cuda"),
        "rocm": about.get("rocm") or about.get("hip"),
    }


def found(module: str) -> Path | None:
    """The folder of a package that is installed, which is not imported."""
    try:
        spec = importlib.util.find_spec(module)
    except ValueError:
        return None
    return Path(spec.origin).parent if spec and spec.origin else None


def _said(reply: Reply | None) -> dict[str, Any]:
    """The JSON on the last line of an answer; what a library printed before it is not ours."""
    if reply is None:
        return {}
    if reply.state != "answered":
        return {"asked": reply.state, "note": reply.reason}
    try:
        return {"asked": "answered", **json.loads(reply.said.strip().splitlines()[-1])}
    except (ValueError, IndexError):
        return {"asked": "failed", "note": "its answer is no JSON"}


def _is_runtime(name: str) -> bool:
    return name.startswith("onnxruntime") and "genai" not in name


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _cuda(root: Path, packages: dict[str, str]) -> dict[str, Any]:
    """The toolkit that is installed on the system, and the runtime that came with pip."""
    home = os.environ.get("CUDA_HOME") if root == Path("/") else None
    folder = Path(home) if home else root / "usr/local/cuda"
    text = read(folder / "version.json") or ""
    found = re.search(r'"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"([^"]+)"', text)
    runtime = packages.get("nvidia-cuda-runtime") or packages.get("nvidia-cuda-runtime-cu12")
    compiler = shutil.which("nvcc") if root == Path("/") else None
    state = "present" if found or runtime or compiler else "absent"
    return {"state": state, "toolkit": found[1] if found else None, "nvcc": compiler, "runtime_package": runtime}


def _tensorrt(root: Path, packages: dict[str, str]) -> dict[str, Any]:
    """TensorRT as a package or as a library of the system."""
    by_pip = {name: version for name, version in packages.items() if name.startswith("tensorrt")}
    libraries = [
        one
        for folder in ("usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/local/tensorrt/lib")
        for one in children(root / folder, "libnvinfer.so.*")
    ]
    return {
        "state": "present" if by_pip or libraries else "absent",
        "packages": by_pip,
        "libraries": sorted({target(one) or one.name for one in libraries}),
    }


def _container(root: Path) -> str | None:
    """The kind of container, as the engines mark it, or None."""
    if (root / ".dockerenv").exists():
        return "docker"
    if (root / "run/.containerenv").exists():
        return "podman"
    groups = read(root / "proc/1/cgroup") or ""
    return next((name for name in ("kubepods", "docker", "containerd", "lxc") if name in groups), None)
