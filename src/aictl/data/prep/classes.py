"""The labels of a dataset: their order, how many documents have each, and what there is to say of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aictl.artifacts.dataset import LABELS, Dataset, Format
from aictl.data.documents import InputFile, Reading
from aictl.data.prep.sift import EXACT, KEPT, Sifted
from aictl.data.readers import classes_of


def declared(
    files: Sequence[tuple[int, InputFile]], datasets: Sequence[Sequence[str]], reading: Reading, format: Format
) -> list[str]:
    """The labels whose order is known, in it: datasets and tables name all that there may be. Of the tables of a source
    the first is asked; they are parts of one."""
    first: dict[int, InputFile] = {}
    for number, file in files:
        if file.suffix == ".parquet":
            first.setdefault(number, file)
    named = [*datasets, *(classes_of(file, reading, format) for file in first.values())]
    return list(dict.fromkeys(name for names in named for name in names))


class Labels:
    """The labels of a dataset: ``names`` in order, and how many documents have each."""

    def __init__(self, sifted: Sifted, known: Sequence[str], *, pictures: bool) -> None:
        found, numbers = sifted.label_names, sifted.labels
        kept = numbers[sifted.fates == KEPT]
        self._pictures = pictures
        self._boxed = sifted.are_boxed
        self.counts = Counter({found[number]: int(count) for number, count in enumerate(np.bincount(kept)) if count})
        self.without = self.counts.pop("", 0)
        self._known = known
        self._name()
        self.contradictions = int(((sifted.fates == EXACT) & (numbers != numbers[sifted.of])).sum())

    def _name(self) -> None:
        known = set(self._known)
        new = [name for name in self.counts if name not in known]
        self.names = [*self._known, *(sorted(new, key=int) if all(map(_is_number, new)) else sorted(new))]

    def add_boxes(self, dataset: Dataset) -> bool:
        """Count those of boxes too, the pictures in which there is one of them, and say whether any picture has boxes.
        Where one has, the lines of all are read again."""
        if not self._boxed:
            return False
        for split in dataset.splits:
            for document in dataset.documents(split):
                self.counts.update({one["label"] for one in document.get("boxes", ())})
        self.without = 0
        self._name()
        return True

    def write(self, folder: Path) -> None:
        if self.names:
            rows = [{"name": name, "documents": self.counts[name]} for name in self.names]
            text = json.dumps({"labels": rows}, ensure_ascii=False, indent=1)
            (folder / LABELS).write_text(text + "\n", "utf-8")

    def metrics(self) -> dict[str, Any]:
        return {
            "labels": {name: self.counts[name] for name in self.names},
            "without_label": self.without,
            "contradictions": self.contradictions,
        }

    def notes(self, *, are_wanted: bool = True) -> Iterator[str]:
        """What to say of them. Pictures with captions need not have any."""
        if self.without and not self.counts and are_wanted:
            yield (
                "no picture has a label: that is the name of the folder that it lies in, below the one that is given, "
                "or stands in the column that --label-field names"
            )
        elif self.without and self.counts:
            yield f"{self.without:,} pictures have no label"
        if self.contradictions:
            what, same = ("pictures", "pixels") if self._pictures else ("documents", "text")
            yield (
                f"{self.contradictions:,} {what} were dropped for one with the same {same} and another label, so "
                "that one of the two labels is wrong (duplicates.jsonl has them)"
            )


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdigit()
