"""How a model came to be, as a card tells it: what it was made from, by which commands, with what.

Names of this machine and of its folders stay out of it: a card is for others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from aictl.artifacts.dataset import Dataset
from aictl.artifacts.model import Model
from aictl.core.artifact import Artifact, InputRecord, Record
from aictl.model.card.figures import Figure, figures

TRAINING = ("train", "finetune")  # the first words of the commands that change weights by learning,
MERGING = "finetune.merge"  # but for this one, which learns nothing


class Step(NamedTuple):
    """One artifact on the way to the model, the model itself first."""

    label: str
    record: Record

    @property
    def command(self) -> str:
        return "aictl " + self.record.command.replace(".", " ")

    @property
    def learns(self) -> bool:
        return self.record.command.partition(".")[0] in TRAINING and self.record.command != MERGING


class Measured(NamedTuple):
    """Figures, and the data on which they were measured; ``command`` did it, if it was not the model's own making."""

    dataset: str
    digest: str | None
    split: str | None
    figures: Sequence[Figure]
    command: str | None = None
    evaluation: str | None = None


def held_out(history: Sequence[Step], own: Sequence[Figure]) -> list[Measured]:
    """What training measured on the split that it kept back, of a model that was itself trained here."""
    if not history or not history[0].learns:
        return []
    row = next((row for row in history[0].record.inputs if row.kind == Dataset.kind), None)
    kept = ("perplexity", "held_out.")
    found = [one for one in own if one.name.startswith(kept) and not one.name.endswith("_before")]
    return [Measured(row.name or row.id[:12], row.id[:12], "validation", found)] if row and found else []


def evaluated(evaluations: Sequence[Artifact]) -> list[Measured]:
    """What `aictl evaluate` measured, each on the dataset that was given to it."""
    found = []
    for one in evaluations:
        record = one.record
        row = next((row for row in record.inputs if row.kind == Dataset.kind), None) if record else None
        if record:
            name, digest = (row.name or row.id[:12], row.id[:12]) if row else (one.label, None)
            command = f"aictl {record.command.replace('.', ' ')}"
            where = f"{record.kind} {record.id[:12]}"
            found.append(Measured(name, digest, None, list(figures(one.metrics)), command, where))
    return [one for one in found if one.figures]


def steps(model: Model) -> list[Step]:
    """The model and everything that it was made from, nearest first, each once."""
    found: dict[str, Step] = {}
    for one in (model, *model.ancestors()):
        if one.record and one.record.key not in found:
            found[one.record.key] = Step(one.label, one.record)
    return list(found.values())


def sources(history: list[Step]) -> list[InputRecord]:
    """The raw sources at the beginning of it all, each once."""
    rows = {row.id: row for step in history for row in step.record.inputs if not row.kind}
    return list(rows.values())


def source_shown(row: InputRecord) -> str:
    """A source as others may know it: where it can be had, or of a file of this machine its name alone."""
    uri = row.uri or ""
    if ":" in uri.partition("/")[0]:
        return uri
    return PurePath(uri).name or uri or "unnamed"


def hub_ids(history: list[Step], kind: str) -> list[str]:
    """The hub's names of what artifacts of a kind were brought in from."""
    found = []
    for step in history:
        if step.record.kind == kind:
            uris = [row.uri or "" for row in step.record.inputs if not row.kind]
            found += [uri.removeprefix("hf:").partition("@")[0] for uri in uris if uri.startswith("hf:")]
    return list(dict.fromkeys(found))


def license_of(history: list[Step]) -> str | None:
    """The licence that came with the model or, nearest first, with what it was made from."""
    stated = (step.record.metrics.get("license") for step in history)
    return next((one for one in stated if isinstance(one, str) and one), None)


def options(record: Record) -> dict[str, Any]:
    """Every option of a command that says something, by its flat name."""
    found: dict[str, Any] = {}
    for name, value in record.spec.items():
        inner = value if isinstance(value, Mapping) else {name: value}
        found |= {key: one for key, one in inner.items() if one not in (None, [], "")}
    return found


def machine(record: Record) -> str:
    """The machine without its name."""
    stated = record.machine
    words = [str(stated.get("processor", "")), f"{stated['cores']} cores" if stated.get("cores") else ""]
    return ", ".join(word for word in words if word)
