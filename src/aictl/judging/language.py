"""Language models: how well they predict texts and conversations, and what they answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput, BadRequest, WorkFailed
from aictl.inference.generator import Sampling, TextGenerator
from aictl.inference.load import load
from aictl.judging.subject import Subject
from aictl.judging.task import Drawn, Row, Task, beginning
from aictl.judging.terms import Terms
from aictl.judging.writing import OFFERS as WRITING
from aictl.judging.writing import finished as writing_finished
from aictl.judging.writing import measures as writing_measures
from aictl.measure import prediction
from aictl.measure.resampling import Measure
from aictl.measure.stretches import Asked, in_plain, knows_chats, messages_of, of_conversation, of_text, text_of

PREDICTING = {name: (name,) for name in ("perplexity", "bits_per_byte", "token_accuracy")}


class Language(Task):
    """Of texts every token is predicted; of conversations and pairs the assistant's words, and, where it is asked
    for, the last answer is generated greedily and held against the one that stands there."""

    name = "language model"
    usual = tuple(PREDICTING)
    batch = 16

    def __init__(self, subjects: Sequence[Subject], dataset: Dataset, terms: Terms) -> None:
        self._subjects, self._terms = subjects, terms
        self._converses = dataset.format != "text"
        self.offers: Mapping[str, Sequence[str]] = {**PREDICTING, **(WRITING if self._converses else {})}
        tokenizers = {(one.folder / "tokenizer.json").read_bytes() for one in subjects if _has_tokenizer(one)}
        why = "it depends on the tokenizer, and theirs differ; bits_per_byte does not"
        if len(tokenizers) > 1:
            self.incomparable = {"perplexity": why, "token_accuracy": why}

    def usable(self, document: Mapping[str, Any]) -> bool:
        if "text" in document:
            return bool(document["text"])
        return any(one["role"] == "assistant" and one["content"] for one in messages_of(document)[1:])

    def open(self, number: int) -> _LanguageJudge:
        generator = load(self._subjects[number].artifact, threads=self._terms.threads, device=self._terms.device)
        # If one of two knows no chats, both read the same plain text: otherwise they would be asked different things.
        chats = self._converses and all(_has_template(one) for one in self._subjects) and knows_chats(generator)
        predicts = bool(set(self.wanted) & set(PREDICTING))
        writes = bool({name for names in WRITING.values() for name in names} & set(self.wanted))
        return _LanguageJudge(generator, self._terms, chats=chats, predicts=predicts, writes=writes)

    def finished(self, rows: list[Row]) -> list[Row]:
        return writing_finished(rows) if "output" in rows[0] else rows

    def measures(self, rows: Sequence[Row]) -> dict[str, Measure]:
        found: dict[str, Measure] = {}
        if "loss" in rows[0]:
            columns = [np.array([row[name] for row in rows]) for name in ("loss", "tokens", "bytes", "right")]
            found |= prediction.measures(*columns)
        return found | writing_measures(rows, self.wanted)

    def details(self, rows: Sequence[Row]) -> dict[str, Any]:
        if "loss" not in rows[0]:
            return {}
        return {"tokens": sum(row["tokens"] for row in rows), "bytes": sum(row["bytes"] for row in rows)}


class _LanguageJudge:
    def __init__(self, generator: TextGenerator, terms: Terms, *, chats: bool, predicts: bool, writes: bool) -> None:
        self._generator, self._terms = generator, terms
        self._chats, self._predicts, self._writes = chats, predicts, writes
        self.truncated = 0

    def judge(self, documents: Sequence[Drawn]) -> list[Row]:
        rows = self._predicted(documents) if self._predicts else [{} for _ in documents]
        if self._writes:
            rows = [{**row, **self._answered(one.document)} for row, one in zip(rows, documents, strict=True)]
        else:
            rows = [{**row, "text": beginning(text_of(one.document))} for row, one in zip(rows, documents, strict=True)]
        return rows

    def close(self) -> None:
        self._generator.close()

    def _predicted(self, documents: Sequence[Drawn]) -> list[Row]:
        asked = [self._asked(one) for one in documents]
        scored = iter(self._generator.score([stretch for one in asked for stretch in one.stretches]))
        rows: list[Row] = []
        for one in asked:
            parts = [next(scored) for _ in one.stretches]
            loss = float(sum(part.losses.sum() for part in parts))
            if not math.isfinite(loss):
                raise WorkFailed("the model predicts nothing: its loss is not finite")
            tokens = sum(stretch.predicted for stretch in one.stretches)
            right = int(sum(part.likeliest.sum() for part in parts))
            rows.append({"loss": loss, "tokens": tokens, "bytes": one.size_bytes, "right": right})
        return rows

    def _asked(self, one: Drawn) -> Asked:
        if not self._chats:
            return of_text(self._generator, text_of(one.document)[: self._terms.characters], self._terms.window)
        try:
            return of_conversation(self._generator, messages_of(one.document), self._terms.window)
        except BadRequest as error:
            where = one.document.get("source") or f"document {one.number}"
            raise BadInput(f"{where}: {error.message}", cure="leave it out of the dataset, or mend it") from error

    def _answered(self, document: Mapping[str, Any]) -> Row:
        """What the model answers in place of the last answer."""
        messages = messages_of(document)
        last = max(turn for turn, one in enumerate(messages) if one["role"] == "assistant" and turn)
        before = messages[:last]
        prompt = self._generator.render_chat(before) if self._chats else in_plain(before) + "\n"
        # Of a conversation that is too long, the end is what is answered.
        room = max(1, self._generator.context_length - self._terms.max_tokens)
        ids = self._generator.encode(prompt)
        self.truncated += len(ids) > room
        ids = ids[-room:]
        pieces = self._generator.generate(ids, Sampling(max_tokens=self._terms.max_tokens))
        output = "".join(piece.text for piece in pieces)
        return {"input": beginning(before[-1]["content"]), "reference": messages[last]["content"], "output": output}


def _has_tokenizer(one: Subject) -> bool:
    return (one.folder / "tokenizer.json").is_file()


def _has_template(one: Subject) -> bool:
    from aictl.inference.chat import ChatTemplate

    return ChatTemplate.read(one.folder) is not None
