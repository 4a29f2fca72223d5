"""Reports: artifacts that people read as they stand. Each is one JSON document, ``KIND.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from aictl.core.artifact import Artifact
from aictl.core.errors import Damaged


class Report(Artifact):
    """A document, shown when it is made."""

    is_report = True

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The document. Raises :class:`Damaged` if it is none of this kind."""
        path = self.folder / f"{self.kind}.json"
        try:
            facts = json.loads(path.read_text("utf-8"))
            wrong = self.lacking(facts) if isinstance(facts, dict) else "it is no JSON object"
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Damaged(f"{path}: {error}") from error
        if wrong:
            raise Damaged(f"{path} is no {self.kind}: {wrong}")
        return facts

    def lacking(self, facts: Mapping[str, Any]) -> str | None:
        """What keeps a document from being of this kind, or None."""
        return None

    def check(self) -> None:
        assert isinstance(self.facts, dict)

    @classmethod
    def write(cls, folder: Path, facts: Mapping[str, Any]) -> None:
        """Write the document into ``folder``; no number in it may be infinite."""
        text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / f"{cls.kind}.json").write_text(text + "\n", "utf-8")
