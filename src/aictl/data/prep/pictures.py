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
from aictl.data.prep.sift import EXACT, KEPT, Sifted
from aictl.data.prep.spec import FilterSpec, PrepSpec
from aictl.data.readers import classes_of, idx_names

# Options by the group that they are of. All of filters is about text.
_OF_TEXT: Mapping[str, Sequence[str]] = {
    "files": ("text_field", "url_field", "unknown_encoding"),
    "filters": tuple(FilterSpec.model_fields),
    "duplicates": ("contamination_words",),
    "split": ("split_similarity",),
}
_OF_PICTURES = ("image_field", "label_field", "max_pixels")  # of files


def spec_for(spec: PrepSpec, given: Mapping[str, object]) -> PrepSpec:
    """The spec as it holds for pictures. ``given`` are inputs that are about text, by the names of their options.
    Raises :class:`BadRequest` if anything is asked for that only texts have."""
    wrong = [name for group, names in _OF_TEXT.items() for name in _set(getattr(spec, group), names)]
    _refuse([*wrong, *(name for name, value in given.items() if value)], "text", "pictures")
    # What looks alike is not of one origin: only what is the same, or was asked for, is kept on one side.
    return spec.model_copy(update={"split": spec.split.model_copy(update={"split_similarity": 1.0})})


def require_none(spec: PrepSpec, format: str) -> None:
    """Raise :class:`BadRequest` if anything is asked for that only pictures have."""
    _refuse(_set(spec.files, _OF_PICTURES), "pictures", {"chat": "conversations"}.get(format, format))


def _set(group: Spec, names: Sequence[str]) -> list[str]:
    """Which of a group's options are not as they are without being given."""
    fields = type(group).model_fields
    return [name for name in names if getattr(group, name) != fields[name].get_default(call_default_factory=True)]


def _refuse(names: Sequence[str], about: str, made: str) -> None:
    if names:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in names)
        are, them = ("is", "it") if len(names) == 1 else ("are", "them")
        raise BadRequest(f"{options} {are} about {about}, and this is a dataset of {made}", cure=f"leave {them} out")


def without_labels_files(files: Sequence[tuple[int, InputFile]]) -> list[tuple[int, InputFile]]:
    """All files but those of labels that lie beside their pictures: who reads the ones reads the others."""
    owners = {
        (number, idx_names.labels_name(file.name).removesuffix(".gz"))
        for number, file in files
        if idx_names.is_images(file.name)
    }
    return [pair for pair in files if (pair[0], pair[1].name.removesuffix(".gz")) not in owners]


def declared(files: Sequence[tuple[int, InputFile]], datasets: Sequence[Sequence[str]], spec: PrepSpec) -> list[str]:
    """The labels whose order is known, in it: datasets and tables name all that there may be. Of the tables of a source
    the first is asked; they are parts of one."""
    first: dict[int, InputFile] = {}
    for number, file in files:
        if file.suffix == ".parquet":
            first.setdefault(number, file)
    named = [*datasets, *(classes_of(file, spec.reading) for file in first.values())]
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
        self.contradictions = int(((sifted.fates == EXACT) & (numbers != numbers[sifted.of])).sum())

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
                f"{self.contradictions:,} pictures were dropped for one with the same pixels and another label, so "
                "that one of the two labels is wrong (duplicates.jsonl has them)"
            )


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdigit()
