"""The first documents of a split."""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice

from aictl.artifacts.dataset import Dataset
from aictl.core.answer import Item, Records
from aictl.data.looking.shards import blocks, one_by_one, require_looked_at, require_split
from aictl.data.looking.showing import item
from aictl.data.looking.spec import HeadSpec

READ_BYTES = 2**16  # of a shard at once: a few documents stand at its very beginning


def head(dataset: Dataset, spec: HeadSpec) -> Records:
    """The first documents as they stand. Raises :class:`BadRequest` for a split that is not there, and
    :class:`Damaged`, while they are read, at a line that is no document."""
    require_looked_at(dataset, "data head", pictures=True)
    require_split(dataset, spec.split)
    return Records(_items(dataset, spec), whole=spec.full)


def _items(dataset: Dataset, spec: HeadSpec) -> Generator[Item, None, int]:
    documents = (
        one
        for path in dataset.shards(spec.split)
        for block in blocks(path, READ_BYTES)
        for one in one_by_one(block, dataset.format)
    )
    yield from map(item, islice(documents, spec.count))
    return 0
