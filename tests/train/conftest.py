"""A small text that has something to learn, as a dataset."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from aictl.artifacts.dataset import Dataset, DatasetWriter

SENTENCES = [
    f"The {noun} {verb} the {other} in the {place}.\n"
    for noun, verb, other, place in itertools.product(
        ("cat", "dog", "bird"), ("sees", "hears", "follows"), ("mouse", "child", "boat"), ("garden", "harbour", "house")
    )
]


def write_text(folder: Path, train: list[str], validation: list[str]) -> Dataset:
    folder.mkdir()
    with DatasetWriter(folder, "text") as writer:
        for split, texts in (("train", train), ("validation", validation)):
            for text in texts:
                writer.add(split, {"text": text, "source": "made up"})
    return Dataset(folder)


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    documents = ["".join(SENTENCES[start::7] * 3) for start in range(7)]
    return write_text(tmp_path / "dataset", documents, ["".join(SENTENCES[::5])])
