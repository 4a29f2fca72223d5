"""gguf: a language model as one file, as llama.cpp and what is built on it read it.

Files: ``model.gguf``, which holds the weights, the settings of the network, the tokenizer and the chat template. What
it says of itself stands in its header: the architecture, the number format of its matrices, the context.
"""

from __future__ import annotations

from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from aictl.artifacts.capability import Capability
from aictl.artifacts.gguf_header import Header, read_header
from aictl.artifacts.model import Brief, Model
from aictl.core.answer import Answer, Document
from aictl.core.errors import Damaged

FILE = "model.gguf"
ROPE_FACTORS = "rope_freqs.weight"  # a tensor that is no weight: how much slower positions turn
# llama.cpp's numbers for what most of the weights are (https://github.com/ggml-org/llama.cpp/blob/master/include/llama.h,
# enum llama_ftype).
FILE_TYPES = {0: "f32", 1: "f16", 7: "q8_0", 32: "bf16"}


class Gguf(Model):
    """A language model for llama.cpp."""

    kind = "gguf"
    about = "a language model as one file, for llama.cpp and what is built on it"

    @property
    def model_path(self) -> Path:
        return self.folder / FILE

    @cached_property
    def header(self) -> Header:
        """What the file says of itself. Raises :class:`Damaged`."""
        return read_header(self.model_path)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Architecture, number format, context in tokens, layers and size of the vocabulary. Raises
        :class:`Damaged`."""
        stated = self.header.metadata
        try:
            architecture = stated["general.architecture"]
            return {
                "architecture": architecture,
                "type": FILE_TYPES[stated["general.file_type"]],
                "context_length": int(stated[f"{architecture}.context_length"]),
                "layers": int(stated[f"{architecture}.block_count"]),
                "vocabulary": int(stated["tokenizer.ggml.tokens"]),
                "pre_tokenizer": stated["tokenizer.ggml.pre"],
                "has_chat_template": "tokenizer.chat_template" in stated,
            }
        except KeyError as error:
            raise Damaged(f"{self.model_path} lacks {error}") from error
        except (ValueError, OverflowError) as error:
            raise Damaged(f"{self.model_path} has a word where a number belongs: {error}") from error

    @property
    def capability(self) -> Capability:
        return "text-generation"

    def tensors(self) -> dict[str, dict[str, Any]]:
        """Every tensor by its name, with its ``dtype`` and ``shape``."""
        return {one.name: {"dtype": one.dtype, "shape": list(one.shape)} for one in self.header.tensors}

    def brief(self) -> Brief:
        facts = self.facts
        count = sum(prod(one.shape) for one in self.header.tensors if one.name != ROPE_FACTORS)
        return Brief(self.capability, facts["architecture"], count, facts["type"], facts["context_length"])

    def check(self) -> None:
        """Raises :class:`Damaged` for a file that is not whole, or does not say what it is or how text becomes
        tokens."""
        facts = self.facts
        names = {one.name: one.shape for one in self.header.tensors}
        if "token_embd.weight" not in names or f"blk.{facts['layers'] - 1}.attn_q.weight" not in names:
            raise Damaged(f"{self.model_path} lacks weights of the {facts['layers']} layers that it promises")
        if names["token_embd.weight"][0] != facts["vocabulary"]:
            raise Damaged(
                f"{self.model_path} has {facts['vocabulary']} tokens and embeds {names['token_embd.weight'][0]}"
            )

    def answer(self) -> Answer:
        return Document({**self.facts, **self.metrics})
