"""Turning one text into another: pairs, and an encoder-decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aictl.artifacts.dataset import Dataset
from aictl.core.events import Events
from aictl.tokenizing.folder import TokenizerFolder
from aictl.training.batches import IGNORED, FieldBatch
from aictl.training.head import bare
from aictl.training.objective import means, own_loss
from aictl.training.precision import Compute
from aictl.training.tasks.lesson import Lesson, spread
from aictl.training.tasks.pairs import Pairs
from aictl.training.tasks.texts import RowBatches, TextReader, by_length, padded

GENERATED = 256  # held-out inputs that are answered in full when a model is examined: writing is slow


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
    """Pairs whose sides have at most ``longest`` tokens, ``batch_size`` at a time; at most ``held_out`` of the
    validation split are judged while it trains. Raises :class:`BadInput` for pairs that cannot be learnt."""
    reader = TextReader(tokenizer, longest)
    learnt, tested = (
        _Split(Pairs(dataset, split, reader, scratch=scratch, events=events), reader.pad_id, tokenizer.end_id)
        for split in ("train", "validation")
    )
    lengths = tested.pairs.lengths()

    def judged(most: int) -> list[FieldBatch]:
        return [tested.stack(rows) for rows in by_length(lengths, spread(len(lengths), most), batch_size)]

    everything = judged(len(lengths))

    def examine(model: torch.nn.Module, compute: Compute) -> Mapping[str, Any]:
        measured = means(model, everything, compute, judge_tokens)
        asked = spread(len(lengths), GENERATED)
        answers = _exact(model, tested, asked, longest, compute)
        accuracy = {"token_accuracy": measured["token_accuracy"], "exact_match": answers}
        return {"documents": len(lengths), **accuracy, "exact_match_documents": len(asked)}

    return Lesson(
        batches=RowBatches(learnt.pairs.lengths(), batch_size, seed, stack=learnt.stack, name=lambda row: str(row + 1)),
        held_out=judged(held_out),
        examples=len(learnt.pairs),
        objective=own_loss,
        judge=judge_tokens,
        examine=examine,
        primary="exact_match",
    )


def judge_tokens(model: torch.nn.Module, batch: FieldBatch) -> Mapping[str, torch.Tensor]:
    """The loss, and how many tokens of the outputs are the likeliest after the true ones before them."""
    made = model(**batch.fields)
    labels = batch.fields["labels"]
    right = (made.logits.argmax(dim=-1) == labels).sum()  # what is ignored is no token, and so never right
    return {"loss": made.loss.float() * batch.counted, "token_accuracy": right}


class _Split:
    """The pairs of one split as batches; every output is closed by ``end_id``, unless it was cut."""

    def __init__(self, pairs: Pairs, pad_id: int, end_id: int) -> None:
        self.pairs, self._pad, self._end = pairs, pad_id, end_id

    def stack(self, rows: Sequence[int]) -> FieldBatch:
        ids, mask = padded([self.pairs.inputs[row] for row in rows], self._pad)
        outputs = [self.output(row) for row in rows]
        labels, labelled = padded(outputs, IGNORED)
        fields = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        return FieldBatch(fields, labelled.sum(dim=1), ids.shape[1] + labels.shape[1])

    def output(self, row: int) -> np.ndarray:
        found: np.ndarray = self.pairs.outputs[row].astype(np.int64)
        return found if len(found) and found[-1] == self._end else np.append(found, self._end)


def _exact(model: Any, split: _Split, rows: np.ndarray, longest: int, compute: Compute) -> float:
    """The share of inputs for which the likeliest output, taken word by word, is the true one to the last token."""
    network = bare(model)
    training = network.training
    network.eval()
    right = 0
    for some in by_length(split.pairs.lengths(), rows, 32):
        batch = split.stack(some).to(compute.device)
        ids, mask = batch.fields["input_ids"], batch.fields["attention_mask"]
        most = max(len(split.output(row)) for row in some) + 1
        with torch.no_grad(), compute.autocast():
            made = network.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=min(most, longest + 1), do_sample=False, num_beams=1
            )
        for row, answer in zip(some, made[:, 1:].tolist(), strict=True):
            true = split.output(row).tolist()
            right += answer[: len(true)] == true
    network.train(training)
    return right / len(rows)
