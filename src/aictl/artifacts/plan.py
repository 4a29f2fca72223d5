"""plan: what a model needs and how long it takes, worked out and not measured.

Files: ``plan.json`` and, where matplotlib is installed, ``plot.svg``, which is drawn from it. The
document's ``verb`` is train, finetune or serve; its best layout's figures stand at the top and the
others in ``layouts``. Every quantity has its unit in its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from aictl.artifacts.report import Report
from aictl.core.answer import Answer, Document


class Plan(Report):
    """A plan, with what it assumed and how far such plans were off."""

    kind = "plan"
    about = "what training or serving a model needs: memory, time, cost"

    def lacking(self, facts: Mapping[str, Any]) -> str | None:
        return None if facts.get("verb") in ("train", "finetune", "serve") else "it plans nothing that is known"

    def content(self, files: Mapping[str, Mapping[str, Any]]) -> str:
        """A plan is its document: the plot is drawn from that."""
        return hashlib.sha256(f"plan.json {files['plan.json']['sha256']}".encode()).hexdigest()

    def answer(self) -> Answer:
        from aictl.artifacts.plan_pages import training
        from aictl.artifacts.serve_pages import serving

        page = serving if self.facts["verb"] == "serve" else training
        return Document(self.facts, sections=page(self.facts))
