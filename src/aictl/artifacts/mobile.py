"""mobile: a model in onnxruntime's own format, for phones and small boards, with all that is needed to run it.

Files: for each graph a ``.ort`` with its weights, such as ``model.ort``; ``required_operators.config``, the operators
that a build of onnxruntime must have to run them, as its ``--include_ops_by_config`` reads them; ``mobile.json``:
``{"precision": "fp32" | "int8", "version": "1.32.0", "capability": ..., "graphs": {"model": {"size_bytes": ...,
"inputs": [...], "outputs": [...]}}}``, where a word in a shape stands for an extent that is free; and what lies beside
the graph in the ``onnx`` artifact: tokenizer, chat template, settings of generation, preparation of pictures, names of
classes, ``genai_config.json`` of a language model.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from aictl.artifacts.capability import ABILITIES, Capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.model import Brief, Model
from aictl.artifacts.onnx import OnnxModel
from aictl.core.answer import Answer, Document
from aictl.core.errors import Damaged

FACTS, OPERATORS = "mobile.json", "required_operators.config"
_MARK = b"ORTM"  # of the format, behind the offset of 32 bits with which every flatbuffer begins


class MobileModel(Model):
    """A model for onnxruntime on small machines."""

    kind = "mobile"
    about = "a model in onnxruntime's own format, for phones and small boards"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Precision, version of onnxruntime, capability, and of each graph its size and what it takes and gives. Raises
        :class:`Damaged`."""
        path = self.folder / FACTS
        try:
            facts = json.loads(path.read_text("utf-8"))
            facts["precision"], facts["version"]
            if not facts["graphs"] or not all(name.isidentifier() for name in facts["graphs"]):
                raise ValueError("graphs is no table of names with what they take and give")
            if facts["capability"] not in ABILITIES:
                raise ValueError(f"its capability is none of {', '.join(ABILITIES)}")
            for one in facts["graphs"].values():
                int(one["size_bytes"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Damaged(f"{path}: {error!r}") from error
        return facts

    @property
    def graphs(self) -> dict[str, Path]:
        """The files of the graphs, by the graphs' names. Raises :class:`Damaged`."""
        return {name: self.folder / f"{name}.ort" for name in self.facts["graphs"]}

    @property
    def capability(self) -> Capability:
        return self.facts["capability"]

    @property
    def weights_bytes(self) -> int:
        """Size of the graphs with their weights on disk."""
        return sum(path.stat().st_size for path in self.graphs.values())

    def brief(self) -> Brief:
        origin = self.nearest(OnnxModel, Checkpoint)
        made = origin.brief() if origin else Brief(self.capability)
        counted = self.metrics.get("parameters") or made.parameters
        return Brief(self.capability, made.architecture, counted, self.facts["precision"], made.context)

    def check(self) -> None:
        """Raises :class:`Damaged` for a graph that is not of this format or not whole, and without the operators."""
        for name, path in self.graphs.items():
            try:
                with path.open("rb") as file:
                    head = file.read(8)
                held = path.stat().st_size
            except OSError as error:
                raise Damaged(f"{path} is missing: {error}") from error
            if head[4:] != _MARK:
                raise Damaged(f"{path} is not in onnxruntime's own format")
            if held != self.facts["graphs"][name]["size_bytes"]:
                raise Damaged(
                    f"{path} has {held:,} bytes, and {FACTS} says {self.facts['graphs'][name]['size_bytes']:,}"
                )
        if not (self.folder / OPERATORS).is_file():
            raise Damaged(f"{self.folder / OPERATORS} is missing")

    def answer(self) -> Answer:
        return Document({**self.facts, **self.metrics})
