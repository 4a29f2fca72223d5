"""Datasets of a few documents or of real text, to look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aictl.artifacts.dataset import Dataset, DatasetWriter


@pytest.fixture
def text_dataset(tmp_path) -> Callable[..., Dataset]:
    """``text_dataset({"train": ["some text", {"text": ..., "label": ...}]})``: each has a source of its own."""
    numbers = iter(range(100))

    def make(splits: dict[str, list[str | dict[str, Any]]], name: str | None = None) -> Dataset:
        folder = tmp_path / (name or f"texts-{next(numbers)}")
        folder.mkdir()
        with DatasetWriter(folder, "text") as writer:
            for split, documents in splits.items():
                for number, one in enumerate(documents):
                    given = {"text": one} if isinstance(one, str) else one
                    writer.add(split, {"source": f"{split}.txt:{number}"} | given)
        return Dataset(folder)

    return make


@pytest.fixture
def sharded(tmp_path) -> Callable[..., Dataset]:
    """``sharded([[line, ...], ...])``: a text dataset of one split whose shards hold these lines as they are."""

    def make(shards: list[list[bytes]], documents: int | None = None) -> Dataset:
        folder = tmp_path / "sharded"
        folder.mkdir()
        for number, lines in enumerate(shards):
            (folder / f"train-{number:05d}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
        count = sum(map(len, shards)) if documents is None else documents
        facts = {"format": "text", "splits": {"train": count}, "rejected": 0}
        (folder / "dataset.json").write_text(json.dumps(facts))
        return Dataset(folder)

    return make


@pytest.fixture
def line() -> Callable[..., bytes]:
    """A document as a line of JSON, without its line break."""
    return lambda text, source="a.txt": json.dumps({"text": text, "source": source}, ensure_ascii=False).encode()


@pytest.fixture
def shard_of() -> Callable[[Dataset], Path]:
    """The first shard of a dataset's train split."""
    return lambda dataset: dataset.shards("train")[0]
