"""What is different where a dataset is of pictures: which options it has, and what is said of labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aictl.artifacts.dataset import LABELS
from aictl.core.errors import BadRequest
from aictl.core.spec import Spec
from aictl.data.documents import InputFile
from aictl.data.prep.sift import EXACT, KEPT, NEAR, Sifted
from aictl.data.prep.spec import DuplicatesSpec, FilesSpec, FilterSpec, PrepSpec, SplitSpec
from aictl.data.readers import classes_of, idx_names

# Options by the group that they are of. All of filters is about text.
_OF_TEXT: Mapping[str, tuple[type[Spec], Sequence[str]]] = {
    "files": (FilesSpec, ("text_field", "url_field", "unknown_encoding")),
    "filters": (FilterSpec, tuple(FilterSpec.model_fields)),
    "duplicates": (DuplicatesSpec, ("contamination_words",)),
    "split": (SplitSpec, ("split_similarity",)),
}


def spec_for(spec: PrepSpec, given: Mapping[str, object]) -> PrepSpec:
    """The spec as it holds for pictures. ``given`` are inputs that are about text, by the names of their options.
    Raises :class:`BadRequest` if anything is asked for that only texts have."""
    wrong = [
        name
        for group, (kind, names) in _OF_TEXT.items()
        for name in names
        if getattr(getattr(spec, group), name) != kind.model_fields[name].get_default(call_default_factory=True)
    ]
    wrong += [name for name, value in given.items() if value]
    if wrong:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in wrong)
        raise BadRequest(
            f"{options} {'is' if len(wrong) == 1 else 'are'} about text, and this is a dataset of pictures",
            cure="leave it out, or say --format text" if len(wrong) == 1 else "leave them out, or say --format text",
        )
    # What looks alike is not of one origin: only what is the same, or was asked for, is kept on one side.
    return spec.model_copy(update={"split": spec.split.model_copy(update={"split_similarity": 1.0})})


def without_labels_files(files: Sequence[tuple[int, InputFile]]) -> list[tuple[int, InputFile]]:
    """All files but those of labels that lie beside their pictures: who reads the ones reads the others."""
    owners = {
        (number, idx_names.labels_name(file.name).removesuffix(".gz"))
        for number, file in files
        if idx_names.is_images(file.name)
    }
    return [pair for pair in files if (pair[0], pair[1].name.removesuffix(".gz")) not in owners]


def declared(files: Sequence[InputFile], datasets: Sequence[Sequence[str]], spec: PrepSpec) -> list[str]:
    """The labels whose order is known, in it: files and datasets name all that there may be."""
    named = [*datasets, *(classes_of(file, spec.reading) for file in files)]
    return list(dict.fromkeys(name for names in named for name in names))


class Labels:
    """The labels of a dataset: ``names`` in order, and how many pictures have each."""

    def __init__(self, sifted: Sifted, known: Sequence[str]) -> None:
        found, numbers = sifted.label_names, sifted.labels
        kept = numbers[sifted.fates == KEPT]
        self.counts = Counter({found[number]: int(count) for number, count in enumerate(np.bincount(kept)) if count})
        self.without = self.counts.pop("", 0)
        new = [name for name in self.counts if name not in set(known)]
        self.names = [*known, *(sorted(new, key=int) if all(map(_is_number, new)) else sorted(new))]
        twins = ((sifted.fates == EXACT) | (sifted.fates == NEAR)) & (numbers != numbers[sifted.clusters])
        self.contradictions = int(twins.sum())

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

    def notes(self) -> Iterator[str]:
        if self.without and not self.counts:
            yield (
                "no picture has a label: that is the name of the folder that it lies in, below the one that is given, "
                "or stands in the column that --label-field names"
            )
        elif self.without:
            yield f"{self.without:,} pictures have no label"
        if self.contradictions:
            yield (
                f"{self.contradictions:,} pictures were dropped for one that has another label, so that one of the two "
                "labels is wrong (duplicates.jsonl has them)"
            )


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdigit()
