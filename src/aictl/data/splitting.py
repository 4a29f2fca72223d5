"""Cutting long texts into documents, and dividing documents between training and validation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

TRAIN, VALIDATION = "train", "validation"
_RANGE = 2**64


def cut_point(text: str, start: int, max_chars: int) -> int:
    """Where to end a piece that begins at ``start``: before the last heading in its second half, or
    else after the last paragraph, line, or word there, or else after ``max_chars``."""
    low, high = start + max_chars // 2, start + max_chars
    for mark, keep in (("\n\n#", 2), ("\n\n", 2), ("\n", 1), (" ", 1)):
        found = text.rfind(mark, low, high)
        if found > start:
            return found + keep
    return high


def pieces(text: str, max_chars: int) -> Iterator[tuple[int, str]]:
    """``(offset, piece)`` of at most ``max_chars`` characters each; 0 leaves the text whole."""
    start = 0
    while max_chars and len(text) - start > max_chars:
        end = cut_point(text, start, max_chars)
        yield start, text[start:end]
        start = end
    yield start, text[start:]


def rank(digest: bytes, seed: int) -> float:
    """A number in [0, 1) that depends on the content and the seed alone, so that a document stays
    on its side of the split when others come and go."""
    mixed = hashlib.blake2b(digest, digest_size=8, key=seed.to_bytes(8, "little")).digest()
    return int.from_bytes(mixed, "little") / _RANGE


class Splitter:
    """Passes documents on to ``add(split, document)`` in order, those whose rank is below
    ``fraction`` to validation.

    Documents wait until both splits have one. Where that never happens, :meth:`close` holds out the
    document of lowest rank (or trains on that of highest), so that two documents suffice.
    """

    def __init__(self, add: Callable[[str, Any], None], fraction: float, seed: int) -> None:
        self._add = add
        self._fraction = fraction
        self._seed = seed
        self._waiting: list[tuple[float, Any]] = []
        self._used: set[str] = set() if fraction else {TRAIN, VALIDATION}

    def add(self, digest: bytes, document: Any) -> None:
        """Take a document, whose content has this digest."""
        place = rank(digest, self._seed)
        if len(self._used) == 2:
            self._add(self._side(place), document)
            return
        self._waiting.append((place, document))
        self._used.add(self._side(place))
        if len(self._used) == 2:
            self._release(self._fraction)

    def close(self) -> bool:
        """Pass on what still waits. False if there are too few documents to split."""
        if len(self._used) == 2:
            return True
        if len(self._waiting) < 2:
            return False
        places = sorted(place for place, _ in self._waiting)
        # All lie on one side: move the nearest one across.
        self._release(places[1] if self._used == {TRAIN} else places[-1])
        return True

    def _side(self, place: float) -> str:
        return VALIDATION if place < self._fraction else TRAIN

    def _release(self, fraction: float) -> None:
        for place, document in self._waiting:
            self._add(VALIDATION if place < fraction else TRAIN, document)
        self._waiting.clear()
        self._used = {TRAIN, VALIDATION}
