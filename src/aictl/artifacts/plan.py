"""plan: what a model needs and how long it takes, worked out and not measured.

Files: ``plan.json`` and, where matplotlib is installed, ``plot.svg``, which is drawn from it. The
document's ``verb`` is train, finetune or serve; its best layout's figures stand at the top and the
others in ``layouts``. Every quantity has its unit in its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aictl.core.answer import Answer, Document
from aictl.core.artifact import Artifact
from aictl.core.errors import Damaged

NAME = "plan.json"


class Plan(Artifact):
    """A plan, with what it assumed and how far such plans were off."""

    kind = "plan"
    about = "what training or serving a model needs: memory, time, cost"
    is_report = True

    def read(self) -> dict[str, Any]:
        path = self.folder / NAME
        try:
            values = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise Damaged(f"{path}: {error}") from error
        if not isinstance(values, dict) or values.get("verb") not in ("train", "finetune", "serve"):
            raise Damaged(f"{path} holds no plan")
        return values

    def check(self) -> None:
        self.read()

    def content(self, files: Mapping[str, Mapping[str, Any]]) -> str:
        """A plan is its document: the plot is drawn from that."""
        return hashlib.sha256(f"{NAME} {files[NAME]['sha256']}".encode()).hexdigest()

    def answer(self) -> Answer:
        from aictl.artifacts.plan_pages import sections

        values = self.read()
        return Document(values, sections=sections(values))


def write(folder: Path, values: Mapping[str, Any]) -> None:
    """Write ``plan.json``; no number in it may be infinite."""
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / NAME).write_text(text + "\n", "utf-8")
