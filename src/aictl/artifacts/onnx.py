"""onnx: a causal language model as an ONNX graph, with all that is needed to run it.

Files: ``model.onnx`` and its weights ``model.onnx.data``, ``genai_config.json`` (how the graph is
driven, as onnxruntime-genai reads it), ``tokenizer.json``, ``tokenizer_config.json`` and the chat
template, ``generation_config.json``, and ``export.json``:
``{"layout": "standard" | "fused", "precision": "fp32" | "int8" | "int4", "opset": 20}``.

Layout ``standard`` has only operators of the ONNX standard, which every runtime and TensorRT
read; ``fused`` has onnxruntime's contrib operators.

The graph takes ``input_ids`` and, where it needs them, ``position_ids`` (batch, length),
``attention_mask`` (batch, past + length) and for every layer ``past_key_values.N.key`` and
``.value`` (batch, key/value heads, past, head width); it gives ``logits`` (batch, length,
vocabulary) and ``present.N.key`` and ``.value``.
"""

from __future__ import annotations

import json
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any

from aictl.core.artifact import Artifact
from aictl.core.errors import Damaged

# The files that turn text into tokens and back, of whatever kind of model folder.
TEXT_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
)


class OnnxModel(Artifact):
    """An exported language model that runs without torch."""

    kind = "onnx"
    about = "a model as an ONNX graph that runs without torch"

    @property
    def model_path(self) -> Path:
        return self.folder / "model.onnx"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Layout, precision and opset, from ``export.json``."""
        return self._read("export.json", ("layout",), ("precision",))

    @cached_property
    def driving(self) -> dict[str, Any]:
        """How the graph is driven, from ``genai_config.json``: under ``model`` its
        ``context_length`` and ``decoder`` (names of inputs and outputs, ``head_size``), under
        ``search`` whether past and present keys and values ``past_present_share_buffer``."""
        return self._read(
            "genai_config.json",
            ("model", "context_length"),
            ("model", "decoder", "head_size"),
            ("search", "past_present_share_buffer"),
        )

    @property
    def context_length(self) -> int:
        """Longest sequence in tokens that the model was made for."""
        return int(self.driving["model"]["context_length"])

    @property
    def weights_bytes(self) -> int:
        """Size of the graph and its weights on disk."""
        return sum(path.stat().st_size for path in self.folder.glob("model.onnx*"))

    def check(self) -> None:
        self.facts, self.driving  # noqa: B018  (reading them is the check)
        if not self.model_path.is_file() or self.model_path.stat().st_size == 0:
            raise Damaged(f"{self.model_path} is missing or empty")

    def _read(self, name: str, *promised: tuple[str, ...]) -> dict[str, Any]:
        path = self.folder / name
        try:
            values = json.loads(path.read_text("utf-8"))
            for steps in promised:
                inner = values
                for step in steps:
                    inner = inner[step]
        except (KeyError, TypeError) as error:
            raise Damaged(f"{path} lacks {error}") from error
        except (OSError, ValueError) as error:
            raise Damaged(f"{path}: {error}") from error
        return values


def write_facts(folder: Path, *, layout: str, precision: str, opset: int) -> None:
    """Write ``export.json``."""
    facts = {"layout": layout, "precision": precision, "opset": opset}
    (folder / "export.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


def copy_text_files(source: Path, folder: Path) -> None:
    """Copy tokenizer, chat template and generation settings from one model folder to another."""
    for name in TEXT_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
