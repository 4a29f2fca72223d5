"""Encoder: documents to token ids, exactly as ``tokenizers`` has them, by the fastest way that is sure.

That the fast way is right is not taken on trust: some of the very documents that it encodes are encoded by
``tokenizers`` too. Should one ever differ, the fast way is left for good, and what it did so far is to be done
again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata

import numpy as np

from aictl.core.errors import BadInput
from aictl.core.events import Events
from aictl.tokenizing.encoded import Encoded, joined, merged
from aictl.tokenizing.fast_encoding import FastEncoder, Refused
from aictl.tokenizing.folder import TokenizerFolder

CHECKED_FIRST = 100  # so many documents are all checked,
CHECKED_EVERY = 100  # and then one of so many,
CHECKED_CHARACTERS = 10_000  # each as far as this
BATCH_CHARACTERS = 4 * 2**20  # what is worth encoding at once
BATCH_DOCUMENTS = 2**16
_SLOW_CHARACTERS = 2**19  # `tokenizers` takes a few hundred bytes of memory for each token of what it is given at once
SURE_WAY = f"tokenizers {metadata.version('tokenizers')}"


class Differs(Exception):
    """The fast way was wrong. The encoder no longer uses it; whoever asked begins again."""


class Encoder:
    """Encodes documents with one tokenizer; ids are below ``vocabulary``."""

    def __init__(self, tokenizer: TokenizerFolder, events: Events) -> None:
        self.tokenizer = tokenizer
        self.vocabulary = tokenizer.vocabulary
        self._events = events
        self._seen = 0
        self._fast: FastEncoder | None = None
        try:
            self._fast = FastEncoder(tokenizer.description)
        except Refused as reason:
            events.noted(f"encoding with tokenizers: {reason}", "detail")

    @property
    def way(self) -> str:
        """The library that encodes, with its version."""
        return f"gigatoken {metadata.version('gigatoken')}" if self._fast else SURE_WAY

    def leave_fast_way(self) -> None:
        self._fast = None

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Ids of each text, without any token before or after it. What looks like a special token is text.

        Raises :class:`BadInput` for a text that holds half a surrogate pair, and :class:`Differs`.
        """
        try:
            return self._encode(texts)
        except UnicodeEncodeError as error:
            raise BadInput(f"a document is no text: {error}", cure="prepare the data anew") from error
        except Refused as reason:
            self.leave_fast_way()
            self._events.noted(f"encoding again with tokenizers, which is slower: {reason}", "warning")
            raise Differs from reason

    def _encode(self, texts: Sequence[str]) -> Encoded:
        if self._fast is None:
            return self._slowly(texts)
        taken = [self._fast.takes(text) for text in texts]
        fast = [text for text, yes in zip(texts, taken, strict=True) if yes]
        encoded = self._fast.encode(fast)
        self._check(fast, encoded)
        if len(fast) == len(texts):
            return encoded
        slow = self._slowly([text for text, yes in zip(texts, taken, strict=True) if not yes])
        return merged(encoded, slow, taken)

    def _check(self, texts: Sequence[str], encoded: Encoded) -> None:
        """Hold some documents beside what ``tokenizers`` makes of them. Raises :class:`Refused`."""
        assert self._fast
        first, self._seen = self._seen, self._seen + len(texts)
        chosen = [n for n in range(len(texts)) if first + n < CHECKED_FIRST or not (first + n) % CHECKED_EVERY]
        excerpts = [texts[number][:CHECKED_CHARACTERS] for number in chosen]
        sure = self._slowly(excerpts)
        for place, (number, excerpt) in enumerate(zip(chosen, excerpts, strict=True)):
            whole = len(excerpt) == len(texts[number])
            fast = encoded.document(number) if whole else self._fast.encode([excerpt]).document(0)
            if not np.array_equal(fast, sure.document(place)):
                raise Refused("gigatoken gave other ids for a document")

    def _slowly(self, texts: Sequence[str]) -> Encoded:
        arrays: list[np.ndarray] = []
        for few in batches(texts, _SLOW_CHARACTERS):
            for text in few:
                text.encode()  # the library says less well what is wrong
            encodings = self.tokenizer.library.encode_batch_fast(few, add_special_tokens=False)
            arrays += [np.asarray(encoding.ids, dtype=np.uint32) for encoding in encodings]
        return joined(arrays)


def batches(texts: Iterable[str], characters: int = BATCH_CHARACTERS) -> Iterator[list[str]]:
    """Texts in order, so many at once as have about so many characters together."""
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= characters or len(batch) == BATCH_DOCUMENTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
