"""Texts to texts: an encoder-decoder model, such as one that translates or sums up, as transformers saves it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tokenizers
import torch
from safetensors import SafetensorError
from transformers import AutoModelForSeq2SeqLM

from aictl.core.errors import Damaged, MachineLacks
from aictl.inference.embedding import batches, max_tokens
from aictl.inference.quiet import quiet


class Rewritten(NamedTuple):
    """What was written for each text, and how many of the texts were cut."""

    texts: list[str]
    truncated: int


class Rewriter:
    """A loaded encoder-decoder model, in float32."""

    def __init__(self, folder: Path, *, threads: int | None = None, device: str = "auto") -> None:
        """``threads`` is torch's setting for the whole process. Raises :class:`Damaged` for files that cannot be
        loaded, :class:`MachineLacks` for a device that is not there."""
        if device == "cuda" and not torch.cuda.is_available():
            raise MachineLacks("torch finds no NVIDIA GPU it can use", cure="pass --device cpu")
        if threads:
            torch.set_num_threads(threads)
        self._device = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises plain Exception
            raise Damaged(f"{folder / 'tokenizer.json'} cannot be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens(folder))
        try:
            with quiet():
                module = AutoModelForSeq2SeqLM.from_pretrained(
                    folder,
                    dtype=torch.float32,
                    local_files_only=True,
                    use_safetensors=True,
                    trust_remote_code=False,
                )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise Damaged(f"{folder} cannot be loaded: {error}") from error
        self._module = module.eval().to(self._device)

    def rewrite(self, texts: Sequence[str], *, max_tokens: int) -> Rewritten:
        """What the model writes for each text, the likeliest token each time (greedy), at most ``max_tokens``."""
        encoded = self._tokenizer.encode_batch(list(texts))
        written = [""] * len(texts)
        for rows in batches([len(one.ids) for one in encoded]):
            width = max(1, *(len(encoded[row].ids) for row in rows))
            ids: np.ndarray = np.zeros((len(rows), width), np.int64)
            mask = np.zeros_like(ids)
            for place, row in enumerate(rows):
                ids[place, : len(encoded[row].ids)] = encoded[row].ids
                mask[place, : len(encoded[row].ids)] = 1
            with torch.inference_mode(), quiet():
                found = self._module.generate(
                    input_ids=torch.from_numpy(ids).to(self._device),
                    attention_mask=torch.from_numpy(mask).to(self._device),
                    max_new_tokens=max_tokens,
                    do_sample=False,
                    num_beams=1,
                )
            for row, one in zip(rows, found.tolist(), strict=True):
                written[row] = self._tokenizer.decode(one, skip_special_tokens=True)
        return Rewritten(written, sum(bool(one.overflowing) for one in encoded))
