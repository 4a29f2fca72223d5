"""A checkpoint or adapter as a torch module, its low-rank weights merged into the rest."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import Damaged
from aictl.inference.quiet import quiet


def load_merged(model: Checkpoint | Adapter, *, dtype: torch.dtype | str = torch.float32) -> Any:
    """The model on the CPU in evaluation mode, as one plain transformers module.

    Raises :class:`Damaged` if its files cannot be loaded.
    """
    base = model.base if isinstance(model, Adapter) else model
    base.check()
    try:
        with quiet():
            module = AutoModelForCausalLM.from_pretrained(
                base.folder, dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
            if isinstance(model, Adapter):
                module = _merged(module, model)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise Damaged(
            f"{model.folder} cannot be loaded: {error}", cure=f"aictl artifact check {model.label}"
        ) from error
    return module.eval()


def write_merged(model: Adapter, folder: Path) -> None:
    """Write the base model of an adapter, of whatever architecture, with the adapter's weights merged into it.

    Raises :class:`Damaged` if its files cannot be loaded.
    """
    base = model.base
    base.check()
    try:
        with quiet():
            name = base.config["architectures"][0]
            kind: Any = getattr(transformers, name, None)
            if kind is None or not hasattr(kind, "from_pretrained"):
                raise ValueError(f"transformers has no architecture '{name}'")
            module = kind.from_pretrained(base.folder, dtype=torch.float32, local_files_only=True, use_safetensors=True)
            _merged(module, model).save_pretrained(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise Damaged(
            f"{model.folder} cannot be loaded: {error}", cure=f"aictl artifact check {model.label}"
        ) from error
    for path in base.folder.iterdir():
        if path.is_file() and path.suffix != ".safetensors" and not (folder / path.name).exists():
            shutil.copyfile(path, folder / path.name)


def _merged(module: Any, adapter: Adapter) -> Any:
    from peft import PeftModel

    adapter.check()
    return PeftModel.from_pretrained(module, adapter.folder, local_files_only=True).merge_and_unload()
