"""Answers that the teacher writes, for a student to learn: knowledge of whole sequences, as in
https://arxiv.org/abs/1606.07947 (Kim and Rush), with greedy decoding in place of a beam."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset, DatasetWriter
from aictl.core.errors import BadInput, BadRequest
from aictl.core.events import Events
from aictl.inference.generator import Sampling, TextGenerator
from aictl.inference.load import load
from aictl.training.state import disk

TASK = "the teacher answers"


def require_questions(teacher: Checkpoint, dataset: Dataset) -> None:
    """Raise :class:`BadRequest` where there is nothing that a teacher could answer in words."""
    if teacher.capability != "text-generation" or dataset.format != "chat":
        raise BadRequest(
            f"--method sequence is for language models and conversations: '{teacher.label}' is for "
            f"{teacher.capability}, and dataset '{dataset.label}' is of format {dataset.format}",
            cure="--method logits",
        )


def write_answers(teacher: Checkpoint, dataset: Dataset, most_tokens: int, scratch: Path, events: Events) -> Dataset:
    """The dataset with the last answer of each conversation of its train split written anew by the teacher.

    Answers go into ``scratch`` one by one, and a run that finds some writes the rest. Raises :class:`BadInput` where
    the teacher has an answer to nothing.
    """
    folder = scratch / "answered"
    if folder.is_dir():
        return Dataset(folder, name=dataset.label)
    talks = [found for document in dataset.documents("train") if (found := _question(document))]
    answers = _answers(teacher, talks, most_tokens, scratch / "answers.jsonl", events)
    if not any(answers):
        raise BadInput(
            f"'{teacher.label}' answered nothing to the {len(talks)} conversations of '{dataset.label}'",
            cure="give a teacher that has learnt to answer, or --method logits",
        )
    if lacking := sum(not answer for answer in answers):
        events.noted(
            f"{lacking} of {len(talks)} conversations are set aside: the teacher came to no end within {most_tokens} "
            "tokens, or said nothing",
            "warning",
        )
    partial = scratch / "answered.partial"
    partial.mkdir(exist_ok=True)
    with disk(partial), DatasetWriter(partial, "chat") as writer:
        for talk, answer in zip(talks, answers, strict=True):
            if answer:
                writer.add(
                    "train", {"messages": [*talk, {"role": "assistant", "content": answer}], "source": "teacher"}
                )
        for document in dataset.documents("validation"):
            writer.add("validation", document)
    partial.rename(folder)
    return Dataset(folder, name=dataset.label)


def _question(document: dict[str, Any]) -> list[dict[str, str]]:
    """What comes before the last answer; nothing where there is none."""
    messages = document["messages"]
    last = max((place for place, one in enumerate(messages) if one["role"] == "assistant"), default=0)
    return list(messages[:last])


def _answers(
    teacher: Checkpoint, talks: list[list[dict[str, str]]], most_tokens: int, path: Path, events: Events
) -> list[str]:
    found = _whole_lines(path)
    events.started(TASK, len(talks), "conversations")
    events.advanced(TASK, len(found))
    if len(found) < len(talks):
        generator = load(teacher)
        with disk(path), path.open("a", encoding="utf-8") as file:
            for talk in talks[len(found) :]:
                found.append(_answer(generator, talk, most_tokens))
                file.write(json.dumps(found[-1]) + "\n")
                file.flush()
                events.advanced(TASK, len(found))
        generator.close()
    events.finished(TASK)
    return found


def _answer(generator: TextGenerator, talk: list[dict[str, str]], most_tokens: int) -> str:
    """Nothing where it came to no end, from which a student would learn to break off."""
    prompt = generator.encode(generator.render_chat(talk))
    if len(prompt) >= generator.context_length:
        return ""
    pieces = list(generator.generate(prompt, Sampling(most_tokens)))
    if pieces and pieces[-1].finish_reason == "length":
        return ""
    return "".join(piece.text for piece in pieces).strip()


def _whole_lines(path: Path) -> list[str]:
    """The answers that are there; a line that was cut short by a kill is cut off."""
    if not path.exists():
        return []
    whole = path.read_bytes()
    kept = whole[: whole.rfind(b"\n") + 1]
    if kept != whole:
        path.write_bytes(kept)
    return list(_parsed(kept))


def _parsed(lines: bytes) -> Iterator[str]:
    return (json.loads(line) for line in lines.splitlines())
