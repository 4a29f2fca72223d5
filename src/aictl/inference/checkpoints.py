"""A checkpoint or adapter as a torch module, its low-rank weights merged into the rest."""

from __future__ import annotations

from typing import Any

import torch
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


def _merged(module: Any, adapter: Adapter) -> Any:
    from peft import PeftModel

    adapter.check()
    return PeftModel.from_pretrained(module, adapter.folder, local_files_only=True).merge_and_unload()
