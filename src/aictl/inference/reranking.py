"""Questions with texts to scores: a model that says how well a text answers a question, on onnxruntime or transformers.

A folder has ``tokenizer.json``, ``config.json`` and ``model.onnx`` or safetensors, as transformers saves them. The
network reads both together (a cross-encoder), so that nothing can be worked out ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import tokenizers

from aictl.core.errors import Damaged
from aictl.core.extras import require
from aictl.core.loading import loading
from aictl.inference.embedding import batches, max_tokens, padded

GRAPH = "model.onnx"
Pair = tuple[str, str]  # a question, and a text that may answer it


class Ranked(NamedTuple):
    """A score for each pair, float32 (pairs,), the more the better, and how many of the pairs were cut."""

    scores: np.ndarray
    truncated: int


class PairNetwork(Protocol):
    """What a runtime offers."""

    def run(self, ids: np.ndarray, mask: np.ndarray, types: np.ndarray) -> np.ndarray:
        """float32 (pairs, 1) of int64 (pairs, tokens): the tokens, where there are any, and which of the two texts each
        is of (0 or 1)."""
        ...


class Reranker:
    """A loaded reranker."""

    def __init__(self, folder: Path, *, threads: int | None = None, device: str = "auto") -> None:
        """Raises :class:`ExtraMissing` without its runtime, :class:`MachineLacks` without the device,
        :class:`Damaged` for files that cannot be loaded and :class:`BadInput` for a graph for something else."""
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises plain Exception
            raise Damaged(f"{folder / 'tokenizer.json'} cannot be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens(folder))  # of the longer of the two, as long as it is
        self.network: PairNetwork = _network(folder, threads, device)

    def prepared(self, pairs: Sequence[Pair]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the network is run on for a batch of pairs: token ids, their mask, and their types."""
        return _fed(self._tokenizer.encode_batch(list(pairs)))

    def score(self, pairs: Sequence[Pair]) -> Ranked:
        """How well each text answers its question; only scores of the same model can be held against each other."""
        encoded = self._tokenizer.encode_batch(list(pairs))
        found: np.ndarray = np.zeros(len(pairs), np.float32)
        for rows in batches([len(one.ids) for one in encoded]):
            found[rows] = self.network.run(*_fed([encoded[row] for row in rows]))[:, 0]
        return Ranked(found, sum(bool(one.overflowing) for one in encoded))


def _fed(encoded: Sequence[tokenizers.Encoding]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids, mask = padded([one.ids for one in encoded])
    return ids, mask, padded([one.type_ids for one in encoded])[0]


def _network(folder: Path, threads: int | None, device: str) -> PairNetwork:
    if (folder / GRAPH).is_file():
        require("cpu")
        with loading():
            from aictl.inference.encoder_onnx import OnnxReranker

        return OnnxReranker(folder / GRAPH, threads, device)
    require("train")
    with loading():
        from aictl.inference.encoder_torch import TorchReranker

    return TorchReranker(folder, threads, device)
