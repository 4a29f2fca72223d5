"""The text of a document that functions see, and the id by which reviewers return to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import Damaged

BATCH_DOCUMENTS = 2048
BATCH_CHARS = 8 * 2**20  # a batch of very long documents ends sooner
_ID_BYTES = 8  # among a billion documents the odds that two share an id are 1 in 37 (birthday bound)


class Batch(NamedTuple):
    """Documents in a row: the number of the first, their splits, themselves, and what is read of them."""

    start: int
    splits: list[str]
    documents: list[dict[str, Any]]
    texts: list[str]


def text_of(document: dict[str, Any], roles: Sequence[str] = ()) -> str:
    """A document's text, or what those with one of ``roles`` say in a conversation (all, if none is named).

    Raises ``KeyError`` or ``TypeError`` for what is no document of a dataset.
    """
    if "text" in document:
        return document["text"]
    return "\n\n".join(one["content"] for one in document["messages"] if not roles or one["role"] in roles)


def id_of(document: dict[str, Any]) -> str:
    """16 hex digits that depend on what the document says alone, so that a review outlives the
    dataset it was drawn from. Documents that say the same have the same id."""
    content = document["text"] if "text" in document else document["messages"]
    data = json.dumps(content, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=_ID_BYTES).hexdigest()


def batches(dataset: Dataset, roles: Sequence[str] = ()) -> Iterator[Batch]:
    """Every document in order, split after split. The cuts depend on the documents alone."""
    batch, chars, number = Batch(0, [], [], []), 0, 0
    for split in dataset.splits:
        for document in dataset.documents(split):
            if len(batch.texts) >= BATCH_DOCUMENTS or chars >= BATCH_CHARS:
                yield batch
                batch, chars = Batch(number, [], [], []), 0
            try:
                text = text_of(document, roles)
                chars += len(text)
            except (KeyError, TypeError) as error:
                raise Damaged(f"{dataset.label}: document {number + 1} of the dataset has no text") from error
            batch.splits.append(split)
            batch.documents.append(document)
            batch.texts.append(text)
            number += 1
    if batch.texts:
        yield batch
