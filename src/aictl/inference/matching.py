"""Texts and pictures to vectors that can be compared: a dual encoder, such as CLIP, on onnxruntime or transformers.

A folder has ``tokenizer.json``, ``config.json``, ``preprocessor_config.json``, and ``text.onnx`` and ``image.onnx`` or
safetensors, as transformers saves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import tokenizers

from aictl.core.errors import Damaged
from aictl.core.extras import require
from aictl.core.loading import loading
from aictl.inference.embedding import USUAL_TOKENS, Embedded, batches, max_tokens, padded
from aictl.inference.image_classifying import BATCH_PICTURES, opened, pixels_of, processor

GRAPH = "text.onnx"
# Their text encoders read the last of a fixed number of tokens, whatever it is, and were trained on padded texts
# (transformers' documentation of SigLIP: padding="max_length").
FIXED_LENGTH = ("siglip", "siglip2")
Captioned = tuple[str, bytes]  # a text, and a picture's file


class Halves(Protocol):
    """What a runtime offers. Both give unit vectors, float32 (rows, width)."""

    def texts(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Of int64 (texts, tokens)."""
        ...

    def pictures(self, pixels: np.ndarray) -> np.ndarray:
        """Of float32 (pictures, channels, height, width)."""
        ...


class DualEncoder:
    """A loaded dual encoder."""

    def __init__(self, folder: Path, *, threads: int | None = None, device: str = "auto") -> None:
        """Raises :class:`ExtraMissing` without its runtime, :class:`MachineLacks` without the device,
        :class:`BadInput` for a folder without what prepares pictures and :class:`Damaged` for files that cannot be
        loaded."""
        require("train")  # of which the processors are, too
        require("images")
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises plain Exception
            raise Damaged(f"{folder / 'tokenizer.json'} cannot be read: {error}") from error
        longest, self._fixed, padding = _text_settings(folder)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(longest)
        if self._fixed:
            self._tokenizer.enable_padding(pad_id=padding, length=longest)
        self._halves = _halves(folder, threads, device)
        self._prepare = processor(folder)
        self.network = _Both(self._halves)

    def prepared(self, some: Sequence[Captioned]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What both halves are run on for a batch: token ids, their mask, and pixels. Raises :class:`BadInput` for a
        file that is no picture."""
        ids, mask = padded([one.ids for one in self._tokenizer.encode_batch([text for text, _ in some])])
        read = [opened(picture, f"picture {at}") for at, (_, picture) in enumerate(some)]
        return ids, mask, pixels_of(self._prepare, read)

    def encode_texts(self, texts: Sequence[str]) -> Embedded:
        """Vectors of texts, in their order."""
        encoded = self._tokenizer.encode_batch(list(texts))
        parts: dict[int, np.ndarray] = {}
        for rows in batches([len(one.ids) for one in encoded]):
            parts |= dict(zip(rows, self._halves.texts(*padded([encoded[row].ids for row in rows])), strict=True))
        return Embedded(np.stack([parts[row] for row in range(len(texts))]), sum(bool(e.overflowing) for e in encoded))

    def encode_pictures(self, pictures: Sequence[bytes]) -> np.ndarray:
        """Vectors of pictures' files, float32 (pictures, width). Raises :class:`BadInput` for a file that is none."""
        found = []
        for begin in range(0, len(pictures), BATCH_PICTURES):
            some = pictures[begin : begin + BATCH_PICTURES]
            read = [opened(one, f"picture {begin + at}") for at, one in enumerate(some)]
            found.append(self._halves.pictures(pixels_of(self._prepare, read)))
        return np.concatenate(found)


class _Both:
    """Both halves as one network, for whoever measures what a text and a picture cost."""

    def __init__(self, halves: Halves) -> None:
        self._halves = halves

    def run(self, ids: np.ndarray, mask: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """Vectors of the texts and, below them, of the pictures, float32 (texts + pictures, width)."""
        return np.concatenate([self._halves.texts(ids, mask), self._halves.pictures(pixels)])


def _halves(folder: Path, threads: int | None, device: str) -> Halves:
    if (folder / GRAPH).is_file():
        require("cpu")
        with loading():
            from aictl.inference.encoder_onnx import OnnxDualEncoder

        return OnnxDualEncoder(folder, threads, device)
    with loading():
        from aictl.inference.encoder_torch import TorchDualEncoder

    return TorchDualEncoder(folder, threads, device)


def _text_settings(folder: Path) -> tuple[int, bool, int]:
    """The longest text in tokens, whether all are padded to it, and with which token: also where ``config.json`` leaves
    them to what is usual for its architecture, which transformers knows."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        texts = config.get_text_config()
        longest = min(max_tokens(folder), int(getattr(texts, "max_position_embeddings", None) or USUAL_TOKENS))
        return longest, config.model_type in FIXED_LENGTH, int(getattr(texts, "pad_token_id", None) or 0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"{folder / 'config.json'} cannot be read: {error}") from error
