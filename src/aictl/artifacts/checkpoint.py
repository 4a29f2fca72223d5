"""checkpoint: a model in the Hugging Face folder layout, with its tokenizer.

Files: ``config.json``, ``*.safetensors``, ``tokenizer.json``, ``tokenizer_config.json``,
``generation_config.json`` and, for chat models, the chat template inside the tokenizer's
configuration or as ``chat_template.jinja``. ``transformers`` loads the folder as it is. One that was
trained here has the history of its training in ``metrics.jsonl``, and a picture of it in ``curves.svg``; one that was
made smaller has ``weighed.html``, a page that holds it against what it was made from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from aictl.artifacts.capability import EMBEDDING_FILES, Capability, capability_of
from aictl.artifacts.model import WEIGHED, Brief, Model, count_weights
from aictl.artifacts.safetensors import read_header
from aictl.core.errors import Damaged

# They say how a model came to be, not what it is.
HISTORY, CURVES = "metrics.jsonl", "curves.svg"
# What libraries note in their configurations of themselves and of where files lay.
NOTED = frozenset({"transformers_version", "peft_version", "_name_or_path", "base_model_name_or_path"})

USUAL_CONTEXT = 2048  # of a model that does not say
# Their first token has the position after the id of the padding, so that so many positions are none of a text.
_COUNT_FROM_PADDING = frozenset(
    {"roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet"}
)


class Checkpoint(Model):
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
        """Longest sequence of text in tokens that the model was made for."""
        # What reads pictures too says so of its part that reads texts.
        nested = self.config.get("text_config")
        config = {**self.config, **nested} if isinstance(nested, dict) else self.config
        found = int(config.get("max_position_embeddings") or config.get("n_positions") or USUAL_CONTEXT)
        if config.get("model_type") in _COUNT_FROM_PADDING:
            found -= int(config.get("pad_token_id") or 0) + 1
        return found

    @cached_property
    def capability(self) -> Capability | None:
        """What the model can do; None for an architecture that is not known here."""
        beside = [name for name in EMBEDDING_FILES if (self.folder / name).is_file()]
        return capability_of(self.config, beside)

    def tensors(self) -> dict[str, dict[str, Any]]:
        """Every tensor by its name, with its ``dtype`` and ``shape``, from the headers of the weights."""
        return {name: entry for path in self.weights() for name, entry in read_header(path).items()}

    def brief(self) -> Brief:
        counts = count_weights(self.tensors().values())
        named = self.config.get("architectures") or [None]
        return Brief(self.capability, named[0], sum(counts.values()), "+".join(counts) or None, self._stated_context())

    def _stated_context(self) -> int | None:
        config = self.config.get("text_config") or self.config
        length = config.get("max_position_embeddings") or config.get("n_positions")
        return int(length) if isinstance(length, int | float) else None

    def weights(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"))

    def check(self) -> None:
        if not self.config.get("model_type"):
            raise Damaged(f"{self.folder / 'config.json'} names no model_type")
        if not self.weights():
            raise Damaged(f"{self.folder} holds no safetensors file")
        for path in self.weights():
            read_header(path)

    def content(self, files: Mapping[str, Mapping[str, Any]]) -> str:
        return model_content(self.folder, files, configurations=("config.json", "generation_config.json"))


def model_content(folder: Path, files: Mapping[str, Mapping[str, Any]], configurations: tuple[str, ...]) -> str:
    """Hash of a model's files without its history, and without what its configurations say of the
    libraries that wrote them: equal weights saved by two versions are one model."""
    digest = hashlib.sha256()
    for path, entry in sorted(files.items()):
        if path in configurations:
            values = json.loads((folder / path).read_text("utf-8"))
            values = {name: value for name, value in values.items() if name not in NOTED}
            digest.update(f"{path} {json.dumps(values, sort_keys=True)}\n".encode())
        elif path not in (HISTORY, CURVES, WEIGHED):
            digest.update(f"{path} {entry['sha256']}\n".encode())
    return digest.hexdigest()
