"""Documents that say what another says, letter for letter, known by 64 bits of a hash: 8 bytes a document.

Of a hundred million different documents two have one hash with a chance of 3 in 10,000.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np


class Repeats:
    """The hashes of some documents' texts."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []

    def add(self, texts: Sequence[str]) -> None:
        hashes = b"".join(blake2b(text.encode(), digest_size=8).digest() for text in texts)
        self._parts.append(np.frombuffer(hashes, np.uint64))

    def merge(self, other: Repeats) -> None:
        self._parts += other._parts

    @property
    def hashes(self) -> np.ndarray:
        """All of them, in order of the documents."""
        if len(self._parts) != 1:
            self._parts = [np.concatenate(self._parts) if self._parts else np.empty(0, np.uint64)]
        return self._parts[0]

    @property
    def repeated(self) -> int:
        """How many documents there are beside the first of each."""
        return len(self.hashes) - len(np.unique(self.hashes))


def shared(splits: Mapping[str, Repeats], first: str = "train") -> dict[str, int]:
    """How many documents of each other split stand in the first too: what is held out should not."""
    if first not in splits:
        return {}
    seen = np.unique(splits[first].hashes)
    return {
        name: int(np.isin(one.hashes, seen).sum()) for name, one in splits.items() if name != first and len(one.hashes)
    }
