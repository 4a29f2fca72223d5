"""Telling texts apart: documents with a label, and an encoder with a head for their classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from aictl.artifacts.dataset import Dataset
from aictl.core.events import Events
from aictl.tokenizing.folder import TokenizerFolder
from aictl.training.batches import FieldBatch
from aictl.training.objective import class_loss, judge_classes
from aictl.training.tasks.labels import Labels
from aictl.training.tasks.lesson import Lesson, spread
from aictl.training.tasks.scores import class_scores
from aictl.training.tasks.texts import RowBatches, TextReader, Texts, by_length, padded, text_of


def lesson(
    dataset: Dataset,
    tokenizer: TokenizerFolder,
    *,
    longest: int,
    batch_size: int,
    held_out: int,
    seed: int,
    scratch: Path,
    events: Events,
) -> Lesson:
    """Texts of at most ``longest`` tokens, ``batch_size`` at a time; at most ``held_out`` of the validation split are
    judged while it trains. Raises :class:`BadInput` for labels that cannot be learnt."""
    labels = Labels(dataset)
    reader = TextReader(tokenizer, longest)
    learnt, tested = (
        _Split(dataset, split, labels, reader, scratch=scratch, events=events) for split in ("train", "validation")
    )

    def judged(most: int) -> list[FieldBatch]:
        rows = spread(len(tested.lengths), most)
        return [tested.stack(some) for some in by_length(tested.lengths, rows, batch_size)]

    everything = judged(len(tested.lengths))
    return Lesson(
        batches=RowBatches(learnt.lengths, batch_size, seed, stack=learnt.stack, name=learnt.name),
        held_out=judged(held_out),
        examples=len(learnt.lengths),
        objective=class_loss,
        judge=judge_classes,
        examine=lambda model, compute: class_scores(model, everything, compute),
        primary="accuracy",
        facts={"classes": len(labels.names)},
    )


class _Split:
    """The labelled texts of one split."""

    def __init__(
        self, dataset: Dataset, split: str, labels: Labels, reader: TextReader, *, scratch: Path, events: Events
    ) -> None:
        numbers = labels.numbers(dataset.documents(split), split)
        self._rows = labels.examples(numbers, split, events)
        self._numbers = numbers[self._rows]
        self._pad = reader.pad_id
        self._texts: Texts = reader.read(
            scratch / f"{split}.texts",
            map(text_of, dataset.documents(split)),
            f"encode {split}",
            len(numbers),
            events=events,
        )
        self.lengths: np.ndarray = self._texts.lengths()[self._rows]

    def stack(self, rows: Sequence[int]) -> FieldBatch:
        ids, mask = padded([self._texts[int(self._rows[row])] for row in rows], self._pad)
        fields = {"input_ids": ids, "attention_mask": mask, "labels": torch.from_numpy(self._numbers[list(rows)])}
        return FieldBatch(fields, torch.ones(len(rows), dtype=torch.int64), ids.shape[1])

    def name(self, row: int) -> str:
        return str(int(self._rows[row]) + 1)
