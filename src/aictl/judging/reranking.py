"""Rerankers on pairs: whether a question's own answer gets the highest score among others.

The others are drawn at random from the answers of the split: ten candidates for each question, as for the Ubuntu
Dialogue Corpus (Lowe et al. 2015, https://arxiv.org/abs/1506.08909, "1 in 10"). The mean reciprocal rank (mrr) is what
rerankers are compared by on MS MARCO (Nogueira & Cho 2019, https://arxiv.org/abs/1901.04085): a rank that slips from 2
to 3 counts in it and not in recall@1, so that as many questions tell a smaller difference.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aictl.core.errors import BadInput, WorkFailed
from aictl.inference.reranking import Pair, Reranker
from aictl.judging.subject import Subject, whole_folder
from aictl.judging.task import Drawn, Judge, Row, Task, beginning
from aictl.judging.terms import Terms
from aictl.measure import retrieval
from aictl.measure.resampling import Measure

CANDIDATES = 10  # for each question, its own answer among them
_KEPT = 1000  # pairs at most whose answers the others are drawn from


class Reranking(Task):
    """Answers of the same question, and those that say the same, are not among the others."""

    name = "reranker"
    offers: Mapping[str, Sequence[str]] = {
        "recall": ("recall@1", "recall@5"),
        "mrr": ("mrr",),
        "ndcg": ("ndcg@10",),
    }
    usual = tuple(offers)
    batch = 16

    def __init__(self, subjects: Sequence[Subject], terms: Terms, scratch: Path) -> None:
        self._subjects, self._terms, self._scratch = subjects, terms, scratch
        self._others: list[Pair] = []
        self._seen, self._chance = 0, random.Random(terms.seed)

    def usable(self, document: Mapping[str, Any]) -> bool:
        """Keeps a sample of all that is usable, as :func:`aictl.judging.documents.draw` does."""
        if not (document["input"] and document["output"]):
            return False
        self._seen += 1
        pair = (document["input"], document["output"])
        if len(self._others) < _KEPT:
            self._others.append(pair)
        elif (place := self._chance.randrange(self._seen)) < _KEPT:
            self._others[place] = pair
        return True

    def require_fit(self) -> None:
        own: dict[str, set[str]] = {}
        for asked, answer in self._others:
            own.setdefault(asked, set()).add(answer)
        every = {answer for _, answer in self._others}
        if alone := next((asked for asked, answers in own.items() if len(answers) == len(every)), None):
            raise BadInput(
                f"split '{self._terms.split}' has no answer but those to '{alone[:60]}': there is nothing to tell them "
                "apart from",
                cure="name a dataset of more pairs",
            )

    def open(self, number: int) -> Judge:
        folder = whole_folder(self._subjects[number], self._scratch)
        reranker = Reranker(folder, threads=self._terms.threads, device=self._terms.device)
        return _RerankingJudge(reranker, self._others, self._terms.seed)

    def measures(self, rows: Sequence[Row]) -> dict[str, Measure]:
        found = retrieval.measures(np.array([row["rank"] for row in rows]))
        return {name: found[name] for names in self.offers.values() for name in names}

    def details(self, rows: Sequence[Row]) -> dict[str, Any]:
        return {"among": min(CANDIDATES, len({answer for _, answer in self._others}))}


class _RerankingJudge:
    def __init__(self, reranker: Reranker, others: Sequence[Pair], seed: int) -> None:
        self._reranker, self._seed = reranker, seed
        self._answers = sorted({answer for _, answer in others})
        self._own: dict[str, set[str]] = {}
        for asked, answer in others:
            self._own.setdefault(asked, set()).add(answer)
        self.truncated = 0

    def judge(self, documents: Sequence[Drawn]) -> list[Row]:
        candidates = [self._candidates(one) for one in documents]
        asked = [one.document["input"] for one in documents]
        pairs = [(question, text) for question, texts in zip(asked, candidates, strict=True) for text in texts]
        found = self._reranker.score(pairs)
        if not np.isfinite(found.scores).all():
            raise WorkFailed("the model gives scores that are not finite")
        self.truncated += found.truncated
        rows, begin = [], 0
        for one, texts in zip(documents, candidates, strict=True):
            scores = found.scores[begin : begin + len(texts)]
            begin += len(texts)
            rows.append(
                {
                    "input": beginning(one.document["input"]),
                    "output": beginning(one.document["output"]),
                    "rank": int(retrieval.ranks(scores[None], np.zeros(1, np.int64))[0]),
                    "found": beginning(texts[int(scores.argmax())]),
                }
            )
        return rows

    def close(self) -> None:
        del self._reranker

    def _candidates(self, one: Drawn) -> list[str]:
        """Its own answer, and others that depend on the seed and its number alone."""
        question, answer = one.document["input"], one.document["output"]
        own = {*self._own.get(question, ()), answer}
        others = [other for other in self._answers if other not in own]
        chosen = random.Random(f"{self._seed} {one.number}").sample(others, min(CANDIDATES - 1, len(others)))
        return [answer, *chosen]
