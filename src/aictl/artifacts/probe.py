"""probe: what a machine is, as seen at one moment. File: ``probe.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from aictl.core.answer import Answer, Document
from aictl.core.artifact import Artifact
from aictl.core.errors import Damaged


class Probe(Artifact):
    """The hardware and software of one machine, by group: cpu, memory, disk, accelerators, network,
    software."""

    kind = "probe"
    about = "the hardware and software of a machine"
    is_report = True

    def read(self) -> dict[str, Any]:
        path = self.folder / "probe.json"
        try:
            facts = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise Damaged(f"{path}: {error}") from error
        if not isinstance(facts, dict):
            raise Damaged(f"{path} holds no JSON object")
        return facts

    def check(self) -> None:
        self.read()

    def answer(self) -> Answer:
        facts = self.read()
        return Document(
            facts, text="\n\n".join("\n".join([group, *_lines(value, 1)]) for group, value in facts.items())
        )


def _lines(value: Any, depth: int) -> Iterator[str]:
    """A nested value as indented lines, leaving out what is not known."""
    margin = "  " * depth
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if inner in (None, [], {}):
                continue
            if isinstance(inner, Mapping) or (isinstance(inner, list) and isinstance(inner[0], Mapping)):
                yield f"{margin}{_words(name)}"
                yield from _lines(inner, depth + 1)
            else:
                yield f"{margin}{_words(name):<20} {_shown(name, inner)}"
    elif isinstance(value, list):
        for inner in value:
            facts = {name: one for name, one in inner.items() if one not in (None, [], {})}
            yield f"{margin}- " + ", ".join(f"{_words(name)} {_shown(name, one)}" for name, one in facts.items())


def _words(name: str) -> str:
    """A field's name without its unit, which stands by the value."""
    for unit in ("bytes", *_UNITS):
        name = name.removesuffix(f"_{unit}")
    return name.replace("_", " ")


_UNITS = {"mhz": "MHz", "mbit": "Mbit/s", "w": "W", "c": "°C"}


def _shown(name: str, value: Any) -> str:
    unit = name.rpartition("_")[2]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if unit == "bytes":
        size = float(value)
        for scale in ("B", "KiB", "MiB", "GiB", "TiB"):
            if size < 1024 or scale == "TiB":
                return f"{size:.4g} {scale}"
            size /= 1024
    return f"{value} {_UNITS[unit]}" if unit in _UNITS else str(value)
