"""Learning a tokenizer from a text dataset, and how well it does on text that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aictl.artifacts.dataset import Dataset
from aictl.artifacts.tokenizer import Tokenizer
from aictl.core.errors import WorkFailed
from aictl.core.events import Events
from aictl.data.tokenizer.spec import TokenizerSpec
from aictl.tokenizing.byte_bpe import ROLES, merges_of
from aictl.tokenizing.encoder import Differs, Encoder
from aictl.tokenizing.folder import TokenizerFolder, write
from aictl.tokenizing.learning import learn_from, spread

HELD_OUT_CHARACTERS = 4 * 2**20  # bytes per token change little with more text than this


def train(dataset: Dataset, spec: TokenizerSpec, folder: Path, *, events: Events) -> Tokenizer:
    """Learn a tokenizer from the train split, write it into ``folder`` and measure it on the validation split.

    Raises :class:`BadRequest` for a vocabulary that is too small, :class:`BadInput` for a dataset without text,
    :class:`WorkFailed` if a text does not come back from its tokens.
    """
    dataset.require_format("text", cure="make one with `aictl data prep FILES --format text`")
    all_shards = dataset.shards("train")
    shards = spread(all_shards, spec.max_bytes)
    events.started("learn")
    library = learn_from(shards, spec.vocab_size, spec.special, events=events)
    write(library, folder, ROLES)
    events.finished("learn")
    made = TokenizerFolder(folder)
    if made.vocabulary < spec.vocab_size:
        events.noted(f"the text has no pattern left after {made.vocabulary:,} of {spec.vocab_size:,} tokens")
    held_out = _measured(dataset, Encoder(made, events), events)
    metrics: dict[str, Any] = {
        "vocabulary": made.vocabulary,
        "merges": len(merges_of(library)),
        "learnt_from": {
            "bytes": sum(path.stat().st_size for path in shards),
            "shards": len(shards),
            "of": len(all_shards),
        },
        "held_out": held_out,
    }
    summary = f"{made.vocabulary:,} tokens"
    if held_out:
        summary += f", {held_out['bytes_per_token']:.2f} bytes of held-out text each"
    return Tokenizer(folder, metrics=metrics, summary=summary)


def _measured(dataset: Dataset, encoder: Encoder, events: Events) -> dict[str, float] | None:
    """How many bytes a token stands for in the validation split; None if there is none."""
    texts = list(_first(dataset))
    size = sum(len(text.encode()) for text in texts)
    if not size:
        events.noted("the dataset has no validation split, so the tokenizer is not measured", "warning")
        return None
    events.started("measure")
    try:
        encoded = encoder.encode(texts)
    except Differs:
        encoded = encoder.encode(texts)
    for number, text in enumerate(texts):
        if encoder.tokenizer.library.decode(encoded.document(number).tolist(), skip_special_tokens=False) != text:
            raise WorkFailed(f"a text does not come back from its tokens: {text[:60]!r}")
    events.finished("measure")
    tokens = len(encoded.ids)
    return {
        "documents": len(texts),
        "bytes": size,
        "tokens": tokens,
        "bytes_per_token": size / tokens,
    }


def _first(dataset: Dataset) -> Iterator[str]:
    taken = 0
    for document in dataset.documents("validation"):
        if taken >= HELD_OUT_CHARACTERS:
            return
        taken += len(document["text"])
        yield document["text"]
