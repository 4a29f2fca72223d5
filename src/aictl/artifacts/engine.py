"""engine: a plan compiled for one kind of accelerator.

Files: ``model.engine`` and ``engine.json`` (builder, its version, precision, target).
"""

from __future__ import annotations

from pathlib import Path

from aictl.core.artifact import Artifact
from aictl.core.errors import Damaged


class Engine(Artifact):
    """A compiled inference engine, such as TensorRT's."""

    kind = "engine"
    about = "a model compiled for one kind of accelerator"

    @property
    def engine_path(self) -> Path:
        return self.folder / "model.engine"

    def check(self) -> None:
        if not self.engine_path.is_file() or self.engine_path.stat().st_size == 0:
            raise Damaged(f"{self.engine_path} is missing or empty")
