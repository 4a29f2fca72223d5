"""probe: what a machine is, as seen at one moment. File: ``probe.json``."""

from __future__ import annotations

import json
from typing import Any

from aictl.core.answer import Answer, Document
from aictl.core.artifact import Artifact
from aictl.core.errors import Damaged


class Probe(Artifact):
    """The hardware and software of one machine."""

    kind = "probe"
    about = "the hardware and software of a machine"

    def read(self) -> dict[str, Any]:
        path = self.folder / "probe.json"
        try:
            return json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise Damaged(f"{path}: {error}") from error

    def check(self) -> None:
        self.read()

    def answer(self) -> Answer:
        return Document(self.read())
