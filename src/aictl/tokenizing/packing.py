"""Packing: documents of any number into shards of token ids, each closed by the end token.

    encoder = Encoder(TokenizerFolder(tokenizer.folder), events)
    packed = pack({"train": lambda: texts}, encoder, folder, events=events)

The same documents and tokenizer give the same bytes, however the texts came and whatever encoded them. A run that
was killed goes on after the last shard that it finished.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from aictl.artifacts.tokenizer import read_json
from aictl.core.errors import Damaged
from aictl.core.events import Events
from aictl.tokenizing.encoder import SURE_WAY, Differs, Encoder, batches
from aictl.tokenizing.folder import TokenizerFolder
from aictl.tokenizing.shards import FACTS, SHARD_TOKENS, ShardWriter, open_shard, read, token_type

Texts = Callable[[], Iterable[str]]
TELL_EVERY_S = 0.25
_UNDER_WAY = "packing.json"  # what the shards of an unfinished run were made with


class Split(NamedTuple):
    """What was packed of a split. A token is counted once, the begin and end tokens too."""

    documents: int
    tokens: int
    shards: int


class Packed(NamedTuple):
    """``splits`` by name; ids are below ``vocabulary`` and kept in ``token_bytes`` each."""

    splits: Mapping[str, Split]
    vocabulary: int
    token_bytes: int


def pack(
    splits: Mapping[str, Texts],
    encoder: Encoder,
    folder: Path,
    *,
    events: Events,
    documents: Mapping[str, int] | None = None,
    shard_tokens: int = SHARD_TOKENS,
) -> Packed:
    """Encode each split's texts and write them into ``folder``, or find them there.

    ``splits`` gives functions, each of which begins the split's texts anew, in the same order; ``documents`` says
    how many there are, for those who watch. A document stands between what the tokenizer puts before a text and
    its end token. Memory is bounded by a batch or the longest document.

    Raises :class:`BadInput` for a tokenizer without an end token, or a text that is none.
    """
    folder.mkdir(exist_ok=True)
    folder.mkdir(exist_ok=True)
    facts = _facts(encoder, shard_tokens)
    if (done := _finished(folder, facts, list(splits))) is not None:
        return done
    _resume(folder, facts, encoder)
    work = _Packing(encoder, folder, events, shard_tokens)
    while True:
        try:
            counts = {name: work.split(name, texts, (documents or {}).get(name)) for name, texts in splits.items()}
            break
        except Differs:
            _resume(folder, facts, encoder, left_fast_way=True)
    _write(folder / FACTS, facts | {"splits": {name: split._asdict() for name, split in counts.items()}})
    (folder / _UNDER_WAY).unlink()
    return Packed(counts, encoder.vocabulary, token_type(encoder.vocabulary).itemsize)


def is_packed(folder: Path, tokenizer: TokenizerFolder) -> bool:
    """Whether a folder holds documents that were packed by this tokenizer, in shards of whatever size. Raises
    :class:`Damaged` for one that cannot be read."""
    if not (folder / FACTS).is_file():
        return False
    found = read_json(folder / FACTS)
    return all(found.get(name) == value for name, value in _of_tokenizer(tokenizer).items())


def _of_tokenizer(tokenizer: TokenizerFolder) -> dict[str, Any]:
    return {
        "tokenizer": tokenizer.digest,
        "vocabulary": tokenizer.vocabulary,
        "begin_ids": tokenizer.begin_ids,
        "end_id": tokenizer.end_id,
    }


def _facts(encoder: Encoder, shard_tokens: int) -> dict[str, Any]:
    """What the bytes depend on, but for the documents."""
    return _of_tokenizer(encoder.tokenizer) | {"shard_tokens": shard_tokens}


def _finished(folder: Path, facts: dict[str, Any], names: list[str]) -> Packed | None:
    """What a run that ended well made of the same, if one did."""
    if not (folder / FACTS).is_file():
        return None
    with suppress(Damaged, KeyError):
        found = read_json(folder / FACTS)
        if {name: found[name] for name in facts} == facts and list(found["splits"]) == names:
            splits = {name: (read(folder, name), found["splits"][name]["shards"]) for name in names}
            counts = {name: Split(tokens.documents, len(tokens), shards) for name, (tokens, shards) in splits.items()}
            return Packed(counts, found["vocabulary"], token_type(found["vocabulary"]).itemsize)
    return None


def _resume(folder: Path, facts: dict[str, Any], encoder: Encoder, *, left_fast_way: bool = False) -> None:
    """Keep what an unfinished run left if it came of the same and is sure to be right; clear it away if not."""
    path = folder / _UNDER_WAY
    found: dict[str, Any] = {}
    with suppress(Damaged):
        found = read_json(path) if path.is_file() else {}
    if left_fast_way or found.get("left_fast_way"):
        left_fast_way = True
        encoder.leave_fast_way()
    same = all(found.get(name) == value for name, value in facts.items())
    if not same or found.get("way") not in (encoder.way, SURE_WAY):
        _clear(folder)
    _write(path, facts | {"way": encoder.way, "left_fast_way": left_fast_way})


def _clear(folder: Path) -> None:
    for pattern in (FACTS, _UNDER_WAY, "*.tokens", "*.ends", "*.partial"):
        for path in folder.glob(pattern):
            path.unlink()


class _Packing:
    """The encoder at work, split by split."""

    def __init__(self, encoder: Encoder, folder: Path, events: Events, shard_tokens: int) -> None:
        self._encoder = encoder
        self._folder = folder
        self._events = events
        self._shard_tokens = shard_tokens
        self._kept_as = token_type(encoder.vocabulary)

    def split(self, name: str, texts: Texts, total: int | None) -> Split:
        """Pack what is not packed yet of one split."""
        before = self._before(name)
        writer = ShardWriter(self._folder, name, self._kept_as, self._shard_tokens, before.shards)
        tokenizer = self._encoder.tokenizer
        task = f"encode {name}"
        self._events.started(task, total, "documents")
        told = time.monotonic()
        with writer:
            for batch in batches(islice(texts(), before.documents, None)):
                writer.add(self._encoder.encode(batch).framed(tokenizer.begin_ids, tokenizer.end_id))
                if time.monotonic() > told + TELL_EVERY_S:
                    told = time.monotonic()
                    self._events.advanced(task, before.documents + writer.documents)
        self._events.finished(task)
        return Split(before.documents + writer.documents, before.tokens + writer.tokens, writer.shards)

    def _before(self, name: str) -> Split:
        """The shards that are there already."""
        documents = tokens = number = 0
        while (shard := open_shard(self._folder, name, number, self._kept_as)) is not None:
            documents += len(shard.ends)
            tokens += len(shard.tokens)
            number += 1
        return Split(documents, tokens, number)


def _write(path: Path, facts: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    partial.replace(path)
