"""How well what belongs to a query is found among everything else, where one thing belongs to it.

``recall@k`` is the share of queries whose own is among the first k; ``mrr`` the mean of one over its rank; ``ndcg@10``
the mean of one over log2 of its rank and one, 0 past the tenth (Järvelin & Kekäläinen 2002, ACM TOIS 20: with one
thing that belongs, the ideal is 1).
"""

from __future__ import annotations

import numpy as np

from aictl.measure.resampling import Measure, mean

DEPTHS = (1, 5, 10)
_ROWS = 256  # queries whose likenesses are held at once


def ranks(queries: np.ndarray, things: np.ndarray, belongs: np.ndarray) -> np.ndarray:
    """The rank from 1, int64 (queries,), of the thing that belongs to each query, by the products of unit vectors,
    float32 (queries, width) and (things, width). Of things that are equally like it, half stand before it, so that a
    model for which everything is alike gains nothing."""
    found: np.ndarray = np.empty(len(queries), np.int64)
    for begin in range(0, len(queries), _ROWS):
        some = slice(begin, begin + _ROWS)
        like = queries[some] @ things.T
        own = like[np.arange(len(like)), belongs[some]][:, None]
        found[some] = 1 + (like > own).sum(axis=1) + (like == own).sum(axis=1) // 2
    return found


def measures(rank: np.ndarray) -> dict[str, Measure]:
    """All of them, by name, of ranks from 1."""
    found: dict[str, Measure] = {f"recall@{depth}": mean(rank <= depth) for depth in DEPTHS}
    found["mrr"] = mean(1 / rank)
    found["ndcg@10"] = mean(np.where(rank <= 10, 1 / np.log2(rank + 1), 0.0))
    return found
