"""The documents of a dataset of pairs: an input and the output that belongs to it, as token ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput
from aictl.core.events import Events
from aictl.training.tasks.contrast import grouped
from aictl.training.tasks.texts import TextReader

SIDES = ("input", "output")


class Pairs:
    """The pairs of one split: the texts of both sides, and numbers that are the same for equal ones."""

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        reader: TextReader,
        *,
        scratch: Path,
        events: Events,
        fewest: int = 1,
        prefix: str = "",
    ) -> None:
        """Every text is read with ``prefix`` before it. Raises :class:`BadInput` for a document that lacks a side, or a
        split of fewer than ``fewest`` pairs."""
        count = 0
        for count, document in enumerate(dataset.documents(split), 1):
            for side in SIDES:
                if not isinstance(document.get(side), str) or not document[side].strip():
                    raise BadInput(
                        f"document {count} of the {split} split of dataset '{dataset.label}' has no {side}",
                        cure="prepare the data anew, from records with both",
                    )
        if count < fewest:
            raise BadInput(
                f"dataset '{dataset.label}' has {count} pairs in its {split} split, and at least {fewest} are needed",
                cure="add more pairs, or prepare the data with another share for validation",
            )
        self.inputs, self.outputs = (
            reader.read(
                scratch / f"{split}-{side}.texts",
                (prefix + str(document[side]) for document in dataset.documents(split)),
                f"encode {split} {side}s",
                count,
                events=events,
            )
            for side in SIDES
        )
        self.input_groups, self.output_groups = (
            grouped([texts[row].tobytes() for row in range(len(texts))]) for texts in (self.inputs, self.outputs)
        )

    def __len__(self) -> int:
        return len(self.inputs)

    def lengths(self) -> np.ndarray:
        """What a pair costs: the tokens of both sides."""
        return self.inputs.lengths() + self.outputs.lengths()
