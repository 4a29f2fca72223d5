"""What is written into a record about where an artifact was made; never part of its id or key."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

# Distributions whose version explains a result, recorded when their module was in use.
_EXPLAINING = {
    "torch": "torch",
    "transformers": "transformers",
    "tokenizers": "tokenizers",
    "gigatoken": "gigatoken",
    "safetensors": "safetensors",
    "peft": "peft",
    "onnx": "onnx",
    "onnxscript": "onnxscript",
    "onnxruntime": "onnxruntime",
    "onnxruntime_genai": "onnxruntime-genai",
    "numpy": "numpy",
    "gguf": "gguf",
    "copier": "copier",
    "tensorrt": "tensorrt",
    "tensorrt_rtx": "tensorrt-rtx",
    "openvino": "openvino",
}


def packages() -> dict[str, str]:
    """Versions of the libraries that took part, and of aictl and Python."""
    found = {"python": platform.python_version()}
    for module, distribution in {"aictl": "aictl", **_EXPLAINING}.items():
        if module in sys.modules:
            try:
                found[distribution] = metadata.version(distribution)
            except metadata.PackageNotFoundError:
                found[distribution] = str(getattr(sys.modules[module], "__version__", "unknown"))
    return found


def machine() -> dict[str, Any]:
    """Host, processor, cores this process may use, and memory in bytes."""
    return {
        "host": platform.node(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
