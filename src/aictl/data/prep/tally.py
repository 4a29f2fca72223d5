"""What each step did: how many documents and characters went in and came out, why, and a few of them to look at.

Tallies of parts are merged in the order of the documents, so that the result is the same however many worked on
it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from aictl.data.documents import Document
from aictl.data.prep.block import Block, text_of

SHOWN = 3  # documents of each reason that are kept as examples
SHOWN_CHARACTERS = 500
_LOOKED_AT = 2 * SHOWN_CHARACTERS  # of which as many are shown: what is cut in two at the end is not
_BEFORE_CHANGE = 100  # characters


@dataclass
class StepTally:
    """One step. ``dropped`` and ``changed`` count documents by the reason; a document may be changed for several.
    ``found`` counts what it came upon in those that stay, documents by their language, say. An example is
    ``{"source", "reason", "text"}``, and of a changed document ``"became"`` too."""

    documents_in: int = 0
    documents_out: int = 0
    characters_in: int = 0
    characters_out: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, str]] = field(default_factory=list)

    def wants(self, reason: str) -> bool:
        """Whether there are too few examples of a reason."""
        return sum(one["reason"] == reason for one in self.examples) < SHOWN

    def show(self, source: str, reason: str, text: str, became: str | None = None) -> None:
        """Keep a document as an example, unless there are enough of the reason."""
        if self.wants(reason):
            example = {"source": source, "reason": reason, "text": text[:SHOWN_CHARACTERS]}
            self.examples.append(example if became is None else example | {"became": became[:SHOWN_CHARACTERS]})

    def add(self, other: StepTally) -> None:
        """Add what a later part of the documents came to."""
        for name in ("documents_in", "documents_out", "characters_in", "characters_out"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.dropped.update(other.dropped)
        self.changed.update(other.changed)
        self.found.update(other.found)
        for one in other.examples:
            if self.wants(one["reason"]):
                self.examples.append(one)


class Tally:
    """All steps, in their order. ``shown`` says how a text may be shown among the examples."""

    def __init__(self, shown: Callable[[str], str] = str) -> None:
        self.steps: dict[str, StepTally] = {}
        self._shown = shown

    def of(self, step: str) -> StepTally:
        return self.steps.setdefault(step, StepTally())

    def through(self, step: str, before: Block, after: Block) -> StepTally:
        """Count a block that went through a step."""
        tally = self.of(step)
        tally.documents_in += len(before)
        tally.documents_out += len(after)
        tally.characters_in += before.characters
        tally.characters_out += after.characters
        return tally

    def dropped(self, step: str, documents: Sequence[Document], reasons: Sequence[str | None]) -> None:
        """Count the documents that have a reason, and show the first of each."""
        tally = self.of(step)
        for one, reason in zip(documents, reasons, strict=True):
            if reason:
                tally.dropped[reason] += 1
                if tally.wants(reason):
                    tally.show(one.source, reason, self._shown(text_of(one.content)[:_LOOKED_AT]))

    def changed(self, step: str, source: str, reason: str, before: str, after: str) -> None:
        """Show what a step made of a document, from where that begins to be another. Counting is the step's."""
        if self.of(step).wants(reason):
            same = takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))
            begin = max(0, sum(1 for _ in same) - _BEFORE_CHANGE)
            texts = (self._shown(text[begin : begin + _LOOKED_AT]) for text in (before, after))
            self.of(step).show(source, reason, *texts)

    def add(self, other: Tally) -> None:
        for name, tally in other.steps.items():
            self.of(name).add(tally)

    def to_json(self) -> dict[str, Any]:
        return {name: vars(tally) for name, tally in self.steps.items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Tally:
        tally = cls()
        for name, row in values.items():
            counters = {key: Counter(row[key]) for key in ("dropped", "changed", "found")}
            tally.steps[name] = StepTally(**{**row, **counters})
        return tally
