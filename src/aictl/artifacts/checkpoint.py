"""checkpoint: a model in the Hugging Face folder layout, with its tokenizer.

Files: ``config.json``, ``*.safetensors``, ``tokenizer.json``, ``tokenizer_config.json``,
``generation_config.json`` and, for chat models, the chat template inside the tokenizer's
configuration or as ``chat_template.jinja``. ``transformers`` loads the folder as it is.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from aictl.artifacts.safetensors import read_header
from aictl.core.artifact import Artifact
from aictl.core.errors import Damaged


class Checkpoint(Artifact):
    """Weights, configuration and tokenizer of one model."""

    kind = "checkpoint"
    about = "a model's weights and tokenizer, as transformers loads them"

    @cached_property
    def config(self) -> dict[str, Any]:
        """The model's configuration, as in its ``config.json``."""
        path = self.folder / "config.json"
        try:
            return json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise Damaged(f"{path}: {error}") from error

    @property
    def context_length(self) -> int:
        """Longest sequence in tokens that the model was made for."""
        return int(self.config.get("max_position_embeddings") or self.config.get("n_positions") or 2048)

    def weights(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"))

    def check(self) -> None:
        if not self.config.get("model_type"):
            raise Damaged(f"{self.folder / 'config.json'} names no model_type")
        if not self.weights():
            raise Damaged(f"{self.folder} holds no safetensors file")
        for path in self.weights():
            read_header(path)
