"""Task: what a kind of model is measured by on a kind of dataset; and what goes through one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from aictl.measure.resampling import Measure

Row = dict[str, Any]  # what a model came to on one document, as JSON; a line of documents.jsonl
LOWER = frozenset({"perplexity", "bits_per_byte", "log_loss", "brier", "calibration_error"})  # less of them is better
SHOWN_CHARACTERS = 400  # of a text that stands in a row, so that a person knows which it is


class Drawn(NamedTuple):
    """A document that is evaluated: its number in the split from 0, and of a picture its file."""

    number: int
    document: Mapping[str, Any]
    image: bytes | None = None


class Judge(Protocol):
    """A model at work; ``truncated`` counts the texts that it had to cut because it takes no longer ones."""

    truncated: int

    def judge(self, documents: Sequence[Drawn]) -> list[Row]:
        """A row for each document."""
        ...

    def close(self) -> None: ...


class Task(ABC):
    """What is measured of one model, or of two that are compared.

    ``offers`` has what can be asked for by name, and the measures that each gives; ``usual`` are those taken where
    nobody asks, and ``wanted`` the measures that are. ``batch`` documents are judged at a time. ``incomparable`` says
    of measures that mean something else for the other model why they do.
    """

    name: str
    offers: Mapping[str, Sequence[str]]
    usual: Sequence[str]
    wanted: Sequence[str] = ()
    batch: int = 64
    incomparable: Mapping[str, str] = MappingProxyType({})

    @abstractmethod
    def usable(self, document: Mapping[str, Any]) -> bool:
        """Whether a document has what is needed to evaluate it. Every document of the split is asked about."""

    def require_fit(self) -> None:  # noqa: B027  (most tasks can judge whatever is usable)
        """Raise the family of ``core.errors`` where the models cannot judge what was usable."""

    @abstractmethod
    def open(self, number: int) -> Judge:
        """Load the model that is evaluated (0), or the one it is compared with (1)."""

    def finished(self, rows: list[Row]) -> list[Row]:
        """The rows when all are there, for a task that needs them all."""
        return rows

    @abstractmethod
    def measures(self, rows: Sequence[Row]) -> dict[str, Measure]:
        """The measures that the rows allow, by name; ``wanted`` are among them."""

    def details(self, rows: Sequence[Row]) -> dict[str, Any]:
        """What else is worth saying, as JSON: classes, confusions, bands."""
        return {}


def beginning(text: str) -> str:
    """As much of a text as stands in a row."""
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + " …"
