"""Encoder-decoder models on pairs: what they write for an input, held against the output that stands there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aictl.core.loading import loading
from aictl.judging.subject import Subject, whole_folder
from aictl.judging.task import Drawn, Judge, Row, Task, beginning
from aictl.judging.terms import Terms
from aictl.judging.writing import OFFERS, finished, measures
from aictl.measure.resampling import Measure


class Rewriting(Task):
    """Translating, summing up: one text becomes another."""

    name = "encoder-decoder model"
    offers = OFFERS
    usual = tuple(OFFERS)
    batch = 64

    def __init__(self, subjects: Sequence[Subject], terms: Terms, scratch: Path) -> None:
        self._subjects, self._terms, self._scratch = subjects, terms, scratch

    def usable(self, document: Mapping[str, Any]) -> bool:
        return bool(document["input"]) and bool(document["output"])

    def open(self, number: int) -> Judge:
        with loading():
            from aictl.inference.rewriting import Rewriter

        folder = whole_folder(self._subjects[number], self._scratch)
        return _RewritingJudge(
            Rewriter(folder, threads=self._terms.threads, device=self._terms.device), self._terms.max_tokens
        )

    def finished(self, rows: list[Row]) -> list[Row]:
        return finished(rows)

    def measures(self, rows: Sequence[Row]) -> dict[str, Measure]:
        return measures(rows, self.wanted)


class _RewritingJudge:
    def __init__(self, rewriter: Any, max_tokens: int) -> None:
        self._rewriter, self._max_tokens = rewriter, max_tokens
        self.truncated = 0

    def judge(self, documents: Sequence[Drawn]) -> list[Row]:
        found = self._rewriter.rewrite([one.document["input"] for one in documents], max_tokens=self._max_tokens)
        self.truncated += found.truncated
        return [
            {"input": beginning(one.document["input"]), "reference": one.document["output"], "output": text}
            for one, text in zip(documents, found.texts, strict=True)
        ]

    def close(self) -> None:
        del self._rewriter
