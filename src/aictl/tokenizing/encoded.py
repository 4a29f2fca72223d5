"""Encoded: the ids of several documents, one after another, and where each of them ends."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import numpy as np


class Encoded(NamedTuple):
    """``ids`` of all documents, uint32; ``ends[n]`` is one past the last id of document ``n``, int64."""

    ids: np.ndarray
    ends: np.ndarray

    def document(self, number: int) -> np.ndarray:
        return self.ids[self.ends[number - 1] if number else 0 : self.ends[number]]

    def framed(self, begin_ids: Sequence[int], end_id: int) -> Encoded:
        """Every document between ``begin_ids`` and ``end_id``."""
        more = len(begin_ids) + 1
        ends = self.ends + more * np.arange(1, len(self.ends) + 1)
        starts = self.ends - np.diff(self.ends, prepend=0) + more * np.arange(len(self.ends))
        ids: np.ndarray = np.empty(len(self.ids) + more * len(ends), dtype=np.uint32)
        is_text: np.ndarray = np.ones(len(ids), dtype=bool)
        for places, token in [*((starts + place, token) for place, token in enumerate(begin_ids)), (ends - 1, end_id)]:
            ids[places] = token
            is_text[places] = False
        ids[is_text] = self.ids
        return Encoded(ids, ends)


def joined(arrays: Sequence[np.ndarray]) -> Encoded:
    """One document an array."""
    ids = np.concatenate(arrays) if arrays else np.empty(0, np.uint32)
    return Encoded(ids, np.cumsum([len(one) for one in arrays], dtype=np.int64))


def merged(yes: Encoded, no: Encoded, choices: Sequence[bool]) -> Encoded:
    """Documents of two in one order: the next of ``yes`` where a choice says so, else the next of ``no``."""
    numbers = count(), count()
    return joined([(no, yes)[choice].document(next(numbers[choice])) for choice in choices])
