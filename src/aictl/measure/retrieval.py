"""How well what belongs to a query is found among everything else, where one thing belongs to it.

``recall@k`` is the share of queries whose own is among the first k; ``mrr`` the mean of one over its rank; ``ndcg@10``
the mean of one over log2 of its rank and one, 0 past the tenth (Järvelin & Kekäläinen 2002, ACM TOIS 20: with one
thing that belongs, the ideal is 1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aictl.measure.resampling import Measure, mean

DEPTHS = (1, 5, 10)
_ROWS = 256  # queries whose likenesses are held at once


class Found(NamedTuple):
    """For each query the rank from 1 of what belongs to it, and the number of what was found first, int64
    (queries,)."""

    ranks: np.ndarray
    first: np.ndarray


def find(queries: np.ndarray, things: np.ndarray, belongs: np.ndarray) -> Found:
    """Rank things by the products of unit vectors, float32 (queries, width) and (things, width)."""
    found: np.ndarray = np.empty(len(queries), np.int64)
    first = np.empty_like(found)
    for begin in range(0, len(queries), _ROWS):
        some = slice(begin, begin + _ROWS)
        like = queries[some] @ things.T
        found[some] = ranks(like, belongs[some])
        first[some] = like.argmax(axis=1)
    return Found(found, first)


def ranks(like: np.ndarray, belongs: np.ndarray) -> np.ndarray:
    """The rank from 1 of what belongs to each query, int64 (queries,), by how like it things are, (queries, things). Of
    things that are equally like it, half stand before its own, so that a model for which everything is alike gains
    nothing."""
    own = like[np.arange(len(like)), belongs][:, None]
    found: np.ndarray = 1 + (like > own).sum(axis=1) + (like == own).sum(axis=1) // 2
    return found


def measures(rank: np.ndarray) -> dict[str, Measure]:
    """All of them, by name, of ranks from 1."""
    found: dict[str, Measure] = {f"recall@{depth}": mean(rank <= depth) for depth in DEPTHS}
    found["mrr"] = mean(1 / rank)
    found["ndcg@10"] = mean(np.where(rank <= 10, 1 / np.log2(rank + 1), 0.0))
    return found
