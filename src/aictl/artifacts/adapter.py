"""adapter: low-rank weights that change a checkpoint, in peft's folder layout.

Files: ``adapter_config.json``, ``adapter_model.safetensors`` and the history of its training,
``metrics.jsonl``. The checkpoint it belongs to is its input ``checkpoint``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from aictl.artifacts.capability import ABILITIES, Capability
from aictl.artifacts.checkpoint import Checkpoint, model_content
from aictl.artifacts.safetensors import read_header
from aictl.core.artifact import Artifact
from aictl.core.errors import Damaged


class Adapter(Artifact):
    """A LoRA adapter; :attr:`base` is the checkpoint that it was trained on."""

    kind = "adapter"
    about = "fine-tuned low-rank weights on top of a checkpoint"

    @cached_property
    def config(self) -> dict[str, Any]:
        """peft's configuration, as in ``adapter_config.json``."""
        path = self.folder / "adapter_config.json"
        try:
            return json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise Damaged(f"{path}: {error}") from error

    @property
    def base(self) -> Checkpoint:
        """The checkpoint under this adapter. Raises ``NotFound`` if it was removed."""
        parent = self.made_from("checkpoint")
        assert isinstance(parent, Checkpoint)
        return parent

    @property
    def capability(self) -> Capability | None:
        """What the base can do with this adapter: the task that it was trained for, where its configuration names
        one, and otherwise the base's. Raises ``NotFound`` if that has to be known and was removed."""
        task = self.config.get("task_type")
        return next((what for what, ability in ABILITIES.items() if task and ability.task_type == task), None) or (
            self.base.capability
        )

    def check(self) -> None:
        if self.config.get("peft_type") != "LORA":
            raise Damaged(f"{self.folder}: peft_type is {self.config.get('peft_type')!r}, and LORA is expected")
        read_header(self.folder / "adapter_model.safetensors")

    def content(self, files: Mapping[str, Mapping[str, Any]]) -> str:
        return model_content(self.folder, files, configurations=("adapter_config.json",))
