"""Preparing a dataset from files that a test writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from aictl.core.artifact import Source
from aictl.core.events import silent
from aictl.data.prep.prep import Inputs, prepare
from aictl.data.prep.spec import PrepSpec
from aictl.workspace.config import settle


@pytest.fixture
def write(tmp_path):
    """``write("a/b.txt", "text or bytes")`` below the folder ``raw``."""

    def make(name: str, content: str | bytes) -> Path:
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


@pytest.fixture
def prep(tmp_path):
    """``prep(**options)`` prepares the folder ``raw``, or ``prep(path, ..., **options)`` what is given. Block lists
    are given as paths."""
    runs = iter(range(100))

    def run(
        *inputs, events=silent, against=(), evaluation=(), block_words=(), block_urls=(), tokenizer=None, **options
    ):
        folder = tmp_path / f"out{next(runs)}"
        folder.mkdir()
        given = [Source(str(one), one, "") if isinstance(one, Path) else one for one in inputs]
        scratch = folder.with_name(f"{folder.name}-scratch")
        scratch.mkdir()
        spec = settle("data.prep", PrepSpec, options, environment={}).spec
        sources = given or [Source("raw", tmp_path / "raw", "")]
        words, urls = ([Source(str(one), one, "") for one in lists] for lists in (block_words, block_urls))
        taken = Inputs(sources, against, evaluation, words, urls, tokenizer)
        dataset = prepare(taken, spec, folder, scratch=scratch, events=events)
        dataset.check()
        return dataset

    return run


@pytest.fixture
def everything():
    """All documents of a dataset, in the order of its splits."""
    return lambda dataset: [one for split in sorted(dataset.splits) for one in dataset.documents(split)]
