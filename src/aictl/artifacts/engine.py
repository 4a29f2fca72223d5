"""engine: a plan compiled for one kind of accelerator, with the tokenizer that feeds it.

Files: ``model.engine``; ``engine.json``; the model's tokenizer, chat template and generation
settings; ``genai_config.json``, which names the inputs and outputs. ``engine.json`` holds
``builder``, ``distribution`` and ``version`` (what built the engine and alone can load it),
``precision``, ``targets`` (compute capabilities, empty for the builder's own choice) and
``profiles`` (per input the least, the usual and the largest shape).
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from aictl.artifacts.capability import Capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.model import Brief, Model
from aictl.artifacts.onnx import OnnxModel
from aictl.core.answer import Answer, Document
from aictl.core.errors import Damaged


class Engine(Model):
    """A compiled inference engine, such as TensorRT's."""

    kind = "engine"
    about = "a model compiled for one kind of accelerator"

    @property
    def engine_path(self) -> Path:
        return self.folder / "model.engine"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Builder, version, precision, targets and shape profiles, from ``engine.json``."""
        path = self.folder / "engine.json"
        try:
            facts = json.loads(path.read_text("utf-8"))
            facts["builder"], facts["distribution"], facts["version"], facts["profiles"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Damaged(f"{path}: {error!r}") from error
        return facts

    @property
    def capability(self) -> Capability | None:
        """What the model can do that it was built from; with a driving of its own it goes on with a text."""
        origin = self.nearest(OnnxModel, Checkpoint)
        if origin is not None:
            return origin.capability
        return "text-generation" if (self.folder / "genai_config.json").is_file() else None

    def brief(self) -> Brief:
        origin = self.nearest(OnnxModel, Checkpoint)
        built = origin.brief() if origin else Brief(None)
        precision, longest = self.facts.get("precision"), self.facts.get("max_sequence")
        return Brief(self.capability, built.architecture, built.parameters, precision, longest)

    def in_place(self) -> bool:
        """False if this machine's builder has another version than the one that built the engine:
        an engine is loaded by the version that made it and by no other. True where there is no
        builder, for then nothing better can be made."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version(self.facts["distribution"]) == self.facts["version"]
        except PackageNotFoundError:
            return True

    def check(self) -> None:
        self.facts  # noqa: B018  (reading it is the check)
        if not self.engine_path.is_file() or self.engine_path.stat().st_size == 0:
            raise Damaged(f"{self.engine_path} is missing or empty")

    def answer(self) -> Answer:
        return Document({**self.facts, **self.metrics})
