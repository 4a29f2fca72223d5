"""Writing a trained model as a checkpoint that every transformers reads alike."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from aictl.artifacts.checkpoint import HISTORY, Checkpoint
from aictl.artifacts.safetensors import read_header
from aictl.core.artifact import RECORD_NAME
from aictl.inference.quiet import quiet
from aictl.training.state import disk

DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16, "F64": torch.float64}
# What is written anew, or says how the checkpoint came to be and not what it is.
_NOT_COPIED = {"config.json", "generation_config.json", "README.md", HISTORY, RECORD_NAME}


def save(model: PreTrainedModel, folder: Path, dtype: torch.dtype | None = None) -> None:
    """Write ``config.json``, ``generation_config.json`` and the weights, cast to ``dtype`` if it is given; tied
    weights are written once. Raises :class:`MachineLacks` for a full disk."""
    if dtype is not None:
        model.to(dtype)
        model.config.dtype = dtype
    with disk(folder), quiet():
        model.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(config | older_rotary(config), indent=2) + "\n", "utf-8")


def older_rotary(config: Mapping[str, Any]) -> dict[str, Any]:
    """The base and scaling of rotary angles as transformers before 5 reads them; where they are missing it silently
    takes its defaults."""
    rotary = config.get("rope_parameters") or {}
    found: dict[str, Any] = {}
    # Models that look near in some layers and far in others have a set of parameters for each kind.
    far = rotary.get("full_attention", rotary)
    if "rope_theta" in far:
        found["rope_theta"] = far["rope_theta"]
    if "rope_theta" in rotary.get("sliding_attention", {}):
        found["rope_local_base_freq"] = rotary["sliding_attention"]["rope_theta"]
    if far.get("rope_type", "default") != "default":
        found["rope_scaling"] = {name: value for name, value in far.items() if name != "rope_theta"}
    return found


def copy_beside(checkpoint: Checkpoint, folder: Path) -> None:
    """Copy what lies beside a checkpoint's weights and goes with what is made of them: tokenizer, chat template,
    licence. Raises :class:`MachineLacks` for a full disk."""
    with disk(folder):
        for path in sorted(checkpoint.folder.iterdir()):
            weights = path.name.endswith((".safetensors", ".safetensors.index.json"))
            if path.is_file() and not weights and path.name not in _NOT_COPIED:
                shutil.copyfile(path, folder / path.name)


def dtype_of(checkpoint: Checkpoint) -> torch.dtype:
    """The number format of most of a checkpoint's tensors. Raises :class:`Damaged` for a file that is cut short."""
    found = Counter(entry["dtype"] for path in checkpoint.weights() for entry in read_header(path).values())
    known = [name for name, _ in found.most_common() if name in DTYPES]
    return DTYPES[known[0]] if known else torch.float32
