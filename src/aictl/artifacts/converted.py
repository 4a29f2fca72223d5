"""What the kinds have in common that an onnx artifact is converted to, for another runtime.

A file of facts says what was converted: ``{"precision": "fp32", "version": "1.32.0", "capability": ..., "graphs":
{"model": {"size_bytes": ..., "inputs": [...], "outputs": [...]}}}``. ``version`` is that of the runtime, ``size_bytes``
that of all files of a graph, and a word in a shape stands for an extent that is free. Beside the graphs lies what lay
beside those of the ``onnx`` artifact: tokenizer, chat template, settings of generation, preparation of pictures, names
of classes, ``genai_config.json`` of a language model.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from aictl.artifacts.capability import ABILITIES, Capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.model import Brief, Model
from aictl.artifacts.onnx import OnnxModel
from aictl.core.answer import Answer, Document
from aictl.core.errors import Damaged


class Converted(Model):
    """A model for another runtime."""

    facts_file: ClassVar[str]

    @classmethod
    def files_of(cls, graph: str) -> tuple[str, ...]:
        """The names of the files of a graph, by its name in the onnx artifact; what a runtime opens is the first."""
        raise NotImplementedError

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the file of facts says. Raises :class:`Damaged`."""
        path = self.folder / self.facts_file
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
        """What a runtime opens of each graph, by the graphs' names. Raises :class:`Damaged`."""
        return {name: self.folder / self.files_of(name)[0] for name in self.facts["graphs"]}

    @property
    def capability(self) -> Capability:
        return self.facts["capability"]

    @property
    def weights_bytes(self) -> int:
        """Size of the graphs with their weights on disk."""
        return sum(size_of(self.folder, self.files_of(name)) for name in self.facts["graphs"])

    def brief(self) -> Brief:
        origin = self.nearest(OnnxModel, Checkpoint)
        made = origin.brief() if origin else Brief(self.capability)
        counted = self.metrics.get("parameters") or made.parameters
        return Brief(self.capability, made.architecture, counted, self.facts["precision"], made.context)

    def check(self) -> None:
        """Raises :class:`Damaged` for a graph of whose files one is missing or not whole."""
        for name, one in self.facts["graphs"].items():
            files = self.files_of(name)
            try:
                held = size_of(self.folder, files)
            except OSError as error:
                raise Damaged(f"{self.folder / files[0]} is missing, or what belongs to it: {error}") from error
            if held != one["size_bytes"]:
                names = " and ".join(str(self.folder / name) for name in files)
                have = "has" if len(files) == 1 else "have"
                raise Damaged(f"{names} {have} {held:,} bytes, and {self.facts_file} says {one['size_bytes']:,}")

    def answer(self) -> Answer:
        return Document({**self.facts, **self.metrics})


def size_of(folder: Path, files: tuple[str, ...]) -> int:
    """Bytes of some files together. Raises ``OSError`` where one is missing."""
    return sum((folder / name).stat().st_size for name in files)
