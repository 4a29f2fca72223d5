"""Texts to texts: an encoder-decoder model, such as one that translates or sums up, as transformers saves it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import tokenizers

from aictl.core.errors import Damaged
from aictl.inference.embedding import batches, max_tokens, padded
from aictl.inference.encoder_torch import TorchRewriter


class Rewritten(NamedTuple):
    """What was written for each text, and how many of the texts were cut."""

    texts: list[str]
    truncated: int


class Rewriter:
    """A loaded encoder-decoder model, in float32."""

    def __init__(self, folder: Path, *, threads: int | None = None, device: str = "auto") -> None:
        """``threads`` is torch's setting for the whole process. Raises :class:`Damaged` for files that cannot be
        loaded or lack weights, :class:`MachineLacks` for a device that is not there."""
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises plain Exception
            raise Damaged(f"{folder / 'tokenizer.json'} cannot be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens(folder))
        self._network = TorchRewriter(folder, threads, device)

    def rewrite(self, texts: Sequence[str], *, max_tokens: int) -> Rewritten:
        """What the model writes for each text, the likeliest token each time (greedy), at most ``max_tokens``."""
        encoded = self._tokenizer.encode_batch(list(texts))
        written = [""] * len(texts)
        for rows in batches([len(one.ids) for one in encoded]):
            ids, mask = padded([encoded[row].ids for row in rows])
            for row, one in zip(rows, self._network.write(ids, mask, max_tokens), strict=True):
                written[row] = self._tokenizer.decode(one, skip_special_tokens=True)
        return Rewritten(written, sum(bool(one.overflowing) for one in encoded))
