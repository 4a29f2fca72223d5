"""Embedding models on pairs, and dual encoders on pictures with captions: whether what belongs to an input is found
among all outputs."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aictl.core.errors import WorkFailed
from aictl.inference.embedding import Embedder, open_embedder
from aictl.inference.matching import DualEncoder
from aictl.judging.subject import Subject, whole_folder
from aictl.judging.task import Drawn, Judge, Row, Task, beginning
from aictl.judging.terms import Terms
from aictl.measure import retrieval
from aictl.measure.resampling import Measure

_VECTORS = ("input_vector", "output_vector")  # in rows that are on the way


class Retrieving(Task):
    """Inputs are queries; what they are looked for among is the outputs of the documents that are evaluated, each
    once."""

    name = "embedding model"
    offers: Mapping[str, Sequence[str]] = {
        "recall": tuple(f"recall@{depth}" for depth in retrieval.DEPTHS),
        "mrr": ("mrr",),
        "ndcg": ("ndcg@10",),
    }
    usual = tuple(offers)
    batch = 128

    def __init__(self, subjects: Sequence[Subject], terms: Terms, scratch: Path) -> None:
        self._subjects, self._terms, self._scratch = subjects, terms, scratch

    def usable(self, document: Mapping[str, Any]) -> bool:
        return bool(document["input"]) and bool(document["output"])

    def open(self, number: int) -> Judge:
        folder = whole_folder(self._subjects[number], self._scratch)
        return _RetrievingJudge(open_embedder(folder, threads=self._terms.threads, device=self._terms.device))

    def finished(self, rows: list[Row]) -> list[Row]:
        """Ranks, when everything that is looked among is there."""
        queries, answers = (np.stack([_unpacked(row[name]) for row in rows]) for name in _VECTORS)
        if not (np.isfinite(queries).all() and np.isfinite(answers).all()):
            raise WorkFailed("the model gives vectors that are not finite")
        places: dict[str, int] = {}
        for number, row in enumerate(rows):
            places.setdefault(row["output"], number)
        kept = list(places.values())
        order = {text: number for number, text in enumerate(places)}
        found = retrieval.find(queries, answers[kept], np.array([order[row["output"]] for row in rows]))
        texts = list(places)
        return [
            {
                **{name: value for name, value in row.items() if name not in _VECTORS},
                **({"input": beginning(row["input"])} if "input" in row else {}),
                "output": beginning(row["output"]),
                "rank": int(rank),
                "found": beginning(texts[first]),
            }
            for row, rank, first in zip(rows, found.ranks, found.first, strict=True)
        ]

    def measures(self, rows: Sequence[Row]) -> dict[str, Measure]:
        return retrieval.measures(np.array([row["rank"] for row in rows]))

    def details(self, rows: Sequence[Row]) -> dict[str, Any]:
        return {"among": len({row["output"] for row in rows})}


class Matching(Retrieving):
    """Pictures are queries; what they are looked for among is the captions of those that are evaluated, each once."""

    name = "dual encoder"
    batch = 32

    def usable(self, document: Mapping[str, Any]) -> bool:
        return bool(document.get("caption"))

    def open(self, number: int) -> Judge:
        folder = whole_folder(self._subjects[number], self._scratch)
        return _MatchingJudge(DualEncoder(folder, threads=self._terms.threads, device=self._terms.device))


class _RetrievingJudge:
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.truncated = 0

    def judge(self, documents: Sequence[Drawn]) -> list[Row]:
        sides = [[one.document[name] for one in documents] for name in ("input", "output")]
        found = [self._embedder.encode(texts) for texts in sides]
        self.truncated += sum(one.truncated for one in found)
        return [
            {"input": one, "output": other, "input_vector": _packed(query), "output_vector": _packed(answer)}
            for one, other, query, answer in zip(*sides, *(one.vectors for one in found), strict=True)
        ]

    def close(self) -> None:
        del self._embedder


class _MatchingJudge:
    def __init__(self, encoder: DualEncoder) -> None:
        self._encoder = encoder
        self.truncated = 0

    def judge(self, documents: Sequence[Drawn]) -> list[Row]:
        captions = [one.document["caption"] for one in documents]
        texts = self._encoder.encode_texts(captions)
        pictures = self._encoder.encode_pictures([one.image or b"" for one in documents])
        self.truncated += texts.truncated
        return [
            {
                "image": one.document["image"],
                "output": caption,
                "input_vector": _packed(picture),
                "output_vector": _packed(text),
            }
            for one, caption, picture, text in zip(documents, captions, pictures, texts.vectors, strict=True)
        ]

    def close(self) -> None:
        del self._encoder


def _packed(vector: np.ndarray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def _unpacked(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")
