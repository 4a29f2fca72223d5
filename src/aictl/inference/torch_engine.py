"""PyTorch eager as an engine: transformers' own network and its cache of keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import MachineLacks
from aictl.inference.checkpoints import load_merged
from aictl.inference.scoring import Scored, Stretch
from aictl.inference.torch_scoring import score


class TorchEngine:
    """A checkpoint, or an adapter merged into its checkpoint: float32 on the CPU, the type it was
    saved in on a GPU.

    torch lets go of Python's global lock inside its operations, so that generations from several
    threads run side by side, each on as many threads as torch is set to use.
    """

    def __init__(self, model: Checkpoint | Adapter, threads: int | None = None, device: str = "auto") -> None:
        """``threads`` is torch's setting for the whole process. Raises :class:`Damaged` if the
        files cannot be loaded, :class:`MachineLacks` for a device that is not there."""
        if device == "cuda" and not torch.cuda.is_available():
            raise MachineLacks("torch finds no NVIDIA GPU it can use", cure="pass --device cpu")
        if threads:
            torch.set_num_threads(threads)
        self.device = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
        self.module = load_merged(model, dtype="auto" if self.device == "cuda" else torch.float32).to(self.device)

    def open(self, capacity: int) -> TorchSequence:
        return TorchSequence(self)

    def score(self, stretches: Sequence[Stretch]) -> list[Scored]:
        return score(self.module, self.device, stretches)

    def close(self) -> None:
        del self.module


class TorchSequence:
    """One sequence's cache, which grows as tokens are appended."""

    def __init__(self, engine: TorchEngine) -> None:
        self._engine = engine
        self._cache: Any = DynamicCache(config=engine.module.config)

    def append(self, ids: Sequence[int], *, every: bool = False) -> np.ndarray:
        tokens = torch.tensor([list(ids)], device=self._engine.device)
        with torch.inference_mode():
            result = self._engine.module(
                input_ids=tokens, past_key_values=self._cache, use_cache=True, logits_to_keep=0 if every else 1
            )
        values = result.logits[0].float().cpu().numpy()
        return values if every else values[-1]
