"""onnx: a causal language model as an ONNX graph, with all that is needed to run it.

Files: ``model.onnx`` (weights inside, or beside it as ``model.onnx.data``),
``genai_config.json`` (how onnxruntime-genai drives the graph), ``tokenizer.json``,
``tokenizer_config.json`` and the chat template, ``generation_config.json``, and ``export.json``:
``{"layout": "standard" | "fused", "precision": "fp32" | "int8" | "int4", "opset": 18}``.

Layout ``standard`` has only operators of the ONNX standard, which every runtime and TensorRT
read; ``fused`` has onnxruntime's contrib operators.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from aictl.core.artifact import Artifact
from aictl.core.errors import Damaged


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
        path = self.folder / "export.json"
        try:
            return json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise Damaged(f"{path}: {error}") from error

    @cached_property
    def _genai_config(self) -> dict[str, Any]:
        path = self.folder / "genai_config.json"
        try:
            config = json.loads(path.read_text("utf-8"))
            config["model"]["decoder"]["head_size"], config["model"]["context_length"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Damaged(f"{path}: {error!r}") from error
        return config

    @property
    def driving(self) -> dict[str, Any]:
        """How the graph is driven: names of inputs and outputs, layers, heads and ``head_size``."""
        return self._genai_config["model"]["decoder"]

    @property
    def context_length(self) -> int:
        """Longest sequence in tokens that the model was made for."""
        return int(self._genai_config["model"]["context_length"])

    def check(self) -> None:
        self.facts, self.driving  # noqa: B018  (reading them is the check)
        if not self.model_path.is_file() or self.model_path.stat().st_size == 0:
            raise Damaged(f"{self.model_path} is missing or empty")
