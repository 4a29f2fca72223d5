"""Learning a tokenizer from a dataset: fast where that is the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from aictl.artifacts.dataset import read_shard
from aictl.core.errors import BadInput
from aictl.core.events import Events
from aictl.tokenizing.byte_bpe import BYTES, assembled, learn, special_tokens
from aictl.tokenizing.fast_learning import fast_merges


def learn_from(shards: Sequence[Path], vocab_size: int, more: Sequence[str] = (), *, events: Events) -> Tokenizer:
    """The tokenizer that :func:`aictl.tokenizing.byte_bpe.learn` learns from the texts in a dataset's ``shards``,
    many times as fast where there is much of it and ``gigatoken`` is installed.

    Raises :class:`BadInput` if there is no text at all, :class:`Damaged` at a line that is no JSON, and what
    ``learn`` raises.
    """
    special = special_tokens(vocab_size, more)
    if not any(document["text"] for path in shards for document in read_shard(path)):
        raise BadInput("there is no text to learn a tokenizer from", cure="give a dataset with documents to train on")
    merges = fast_merges(shards, vocab_size - BYTES - len(special), events)
    # A special token that is also a word would share that word's id.
    if merges is not None and not {left + right for left, right in merges} & set(special):
        return assembled(merges, special)
    return learn((document["text"] for path in shards for document in read_shard(path)), vocab_size, more)


def spread(shards: Sequence[Path], most_bytes: int) -> list[Path]:
    """As many shards, evenly spread, as hold at most ``most_bytes`` together, and at least one."""
    sizes = [path.stat().st_size for path in shards]
    count = len(shards)
    while count > 1:
        chosen = [number * len(shards) // count for number in range(count)]
        total = sum(sizes[number] for number in chosen)
        if total <= most_bytes:
            return [shards[number] for number in chosen]
        count = max(1, min(count - 1, count * most_bytes // total))
    return list(shards[:1])
