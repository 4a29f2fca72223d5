"""An embedding model's network on PyTorch, as transformers loads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import AutoModel

from aictl.core.errors import BadInput, Damaged, MachineLacks
from aictl.inference.quiet import quiet

_AGAIN = "download it again, or give another"


class TorchNetwork:
    """An encoder in float32, in evaluation mode."""

    def __init__(self, folder: Path, threads: int | None = None, device: str = "auto") -> None:
        """``threads`` is torch's setting for the whole process. Raises :class:`Damaged` if the files
        cannot be loaded, :class:`MachineLacks` for a device that is not there."""
        if device == "cuda" and not torch.cuda.is_available():
            raise MachineLacks("torch finds no NVIDIA GPU it can use", cure="pass --device cpu")
        if threads:
            torch.set_num_threads(threads)
        self._device = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
        try:
            with quiet():
                module, loaded = AutoModel.from_pretrained(
                    folder,
                    dtype=torch.float32,
                    local_files_only=True,
                    use_safetensors=True,
                    trust_remote_code=False,
                    output_loading_info=True,
                )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise Damaged(f"{folder} cannot be loaded: {error}", cure=_AGAIN) from error
        # transformers would make up what is not there; the pooler alone is never used here.
        if missing := sorted(name for name in loaded["missing_keys"] if not name.startswith("pooler.")):
            raise Damaged(f"{folder} lacks {len(missing)} weights, such as {missing[0]}", cure=_AGAIN)
        self._module = module.eval().to(self._device)

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """See :class:`aictl.inference.embedding.Network`."""
        with torch.inference_mode():
            result = self._module(
                input_ids=torch.from_numpy(ids).to(self._device), attention_mask=torch.from_numpy(mask).to(self._device)
            )
        states = getattr(result, "last_hidden_state", None)
        if states is None:
            raise BadInput("this model gives no hidden states", cure="give an encoder, such as all-MiniLM-L6-v2")
        return states.float().cpu().numpy()
