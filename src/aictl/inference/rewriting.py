"""Texts to texts: an encoder-decoder model, such as one that translates or sums up, on onnxruntime or transformers.

A folder has ``tokenizer.json``, ``config.json`` and ``generation_config.json``, and either ``encoder.onnx`` and
``decoder.onnx`` or safetensors, as transformers saves them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tokenizers

from aictl.core.errors import Damaged
from aictl.core.extras import require
from aictl.core.loading import loading
from aictl.inference.embedding import batches, max_tokens, padded

if TYPE_CHECKING:
    from aictl.inference.encoder_torch import TorchRewriter
    from aictl.inference.rewriter_onnx import OnnxRewriter

GRAPH = "decoder.onnx"


class Rewritten(NamedTuple):
    """What was written for each text, and how many of the texts were cut."""

    texts: list[str]
    truncated: int


class Rewriter:
    """A loaded encoder-decoder model: of safetensors in float32, of graphs as they are."""

    def __init__(self, folder: Path, *, threads: int | None = None, device: str = "auto") -> None:
        """``threads`` is torch's setting for the whole process. Raises :class:`Damaged` for files that cannot be
        loaded or lack weights, :class:`MachineLacks` for a device that is not there, :class:`ExtraMissing` without its
        runtime."""
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises plain Exception
            raise Damaged(f"{folder / 'tokenizer.json'} cannot be read: {error}") from error
        self._tokenizer.no_padding()
        self.max_tokens = max_tokens(folder)
        self._tokenizer.enable_truncation(self.max_tokens)
        self._network = _network(folder, threads, device)

    def rewrite(self, texts: Sequence[str], *, max_tokens: int) -> Rewritten:
        """What the model writes for each text, the likeliest token each time (greedy), at most ``max_tokens``."""
        encoded = self._tokenizer.encode_batch(list(texts))
        written = [""] * len(texts)
        for rows in batches([len(one.ids) for one in encoded]):
            ids, mask = padded([encoded[row].ids for row in rows])
            for row, one in zip(rows, self._network.write(ids, mask, max_tokens), strict=True):
                written[row] = self._tokenizer.decode(one, skip_special_tokens=True)
        return Rewritten(written, sum(bool(one.overflowing) for one in encoded))

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, as it is read."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def replay(self, read: Sequence[int], written: Sequence[int]) -> Iterator[np.ndarray]:
        """Read some tokens, then write given ones one at a time as if they had been chosen, and yield the logits of
        what comes next, float32 (vocabulary,), before the first and after each: the cost of writing, for measuring
        it."""
        return self._network.replay(*padded([read]), written)


def _network(folder: Path, threads: int | None, device: str) -> TorchRewriter | OnnxRewriter:
    if (folder / GRAPH).is_file():
        require("cpu")
        with loading():
            from aictl.inference.rewriter_onnx import OnnxRewriter

        return OnnxRewriter(folder, threads, device)
    require("train")
    with loading():
        from aictl.inference.encoder_torch import TorchRewriter

    return TorchRewriter(folder, threads, device)
