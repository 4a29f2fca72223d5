"""A small text that has something to learn, as a dataset."""

from __future__ import annotations

import itertools

import pytest
from tests.training.tasks.conftest import bars, labelled_texts, picture_dataset, shapes, topics  # noqa: F401

from aictl.artifacts.dataset import Dataset

SENTENCES = [
    f"The {noun} {verb} the {other} in the {place}.\n"
    for noun, verb, other, place in itertools.product(
        ("cat", "dog", "bird"), ("sees", "hears", "follows"), ("mouse", "child", "boat"), ("garden", "harbour", "house")
    )
]


@pytest.fixture
def text_dataset(write_dataset):
    """Writes a dataset of texts: ``text_dataset(name, train, validation)``."""

    def write(name: str, train: list[str], validation: list[str]) -> Dataset:
        texts = {"train": train, "validation": validation}
        return write_dataset(name, "text", {split: [{"text": text} for text in texts[split]] for split in texts})

    return write


@pytest.fixture
def dataset(text_dataset) -> Dataset:
    documents = ["".join(SENTENCES[start::7] * 3) for start in range(7)]
    return text_dataset("dataset", documents, ["".join(SENTENCES[::5])])
