"""Vectors that are near for texts that belong together: pairs, an encoder and the mean of its hidden states."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.pooling import Pooling
from aictl.core.events import Events
from aictl.tokenizing.folder import TokenizerFolder
from aictl.training.batches import FieldBatch
from aictl.training.precision import Compute
from aictl.training.state import disk
from aictl.training.tasks.contrast import contrastive_loss, recall, same_groups
from aictl.training.tasks.lesson import Lesson, spread
from aictl.training.tasks.pairs import SIDES, Pairs
from aictl.training.tasks.scores import predictions
from aictl.training.tasks.texts import RowBatches, TextReader, by_length, padded

SCALE = 20.0  # of cosines before the softmax, as in https://arxiv.org/abs/1908.10084's library
POOLING_FILE = "1_Pooling/config.json"
FEWEST = 2  # pairs: one alone has nothing to be told apart from


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
    pooling: Pooling = "mean",
    prefix: str = "",
) -> Lesson:
    """Pairs whose sides have at most ``longest`` tokens, ``batch_size`` at a time, each told apart from the others of
    its batch; at most ``held_out`` of the validation split are judged while it trains. A text is read with ``prefix``
    before it. Raises :class:`BadInput` for pairs that cannot be learnt."""
    reader = TextReader(tokenizer, longest)
    learnt, tested = (
        _Split(
            Pairs(dataset, split, reader, scratch=scratch, events=events, fewest=FEWEST, prefix=prefix),
            reader.pad_id,
            pooling,
        )
        for split in ("train", "validation")
    )

    def judged(most: int) -> list[FieldBatch]:
        # Batches of any pairs, not of like length: those would give away what belongs together.
        rows = spread(len(tested.pairs), most).tolist()
        starts = range(0, len(rows), batch_size)
        return [tested.stack(some) for start in starts if len(some := rows[start : start + batch_size]) >= FEWEST]

    unsorted = np.zeros(len(learnt.pairs), dtype=np.int64)
    return Lesson(
        batches=RowBatches(unsorted, batch_size, seed, stack=learnt.stack, name=lambda row: str(row + 1)),
        held_out=judged(held_out),
        examples=len(learnt.pairs),
        objective=lambda model, batch: pair_loss(model, batch, pooling),
        judge=lambda model, batch: {"loss": pair_loss(model, batch, pooling)},
        examine=lambda model, compute: tested.examine(model, compute, batch_size),
        primary="recall_at_1",
    )


def pooled(model: torch.nn.Module, ids: Any, mask: Any, pooling: Pooling = "mean") -> torch.Tensor:
    """Unit vectors of texts, float32 of shape (rows, width): the mean of the hidden states of their tokens, or the
    first of them."""
    states = model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
    if pooling == "cls":
        return F.normalize(states[:, 0], dim=-1)
    weight = mask[:, :, None].to(states.dtype)
    return F.normalize((states * weight).sum(dim=1) / weight.sum(dim=1), dim=-1)


def both_sides(model: torch.nn.Module, batch: FieldBatch, pooling: Pooling) -> tuple[torch.Tensor, torch.Tensor]:
    """See :func:`pooled`; of the inputs and of the outputs of a batch of pairs."""
    given: Mapping[str, Any] = batch.fields
    left, right = (pooled(model, given[f"{side}_ids"], given[f"{side}_mask"], pooling) for side in SIDES)
    return left, right


def contrast(left: torch.Tensor, right: torch.Tensor, batch: FieldBatch) -> torch.Tensor:
    """See :func:`contrastive_loss`; texts that occur twice in a batch are not told apart."""
    given: Mapping[str, Any] = batch.fields
    return contrastive_loss(left, right, SCALE, same_groups(given["input_groups"], given["output_groups"]))


def pair_loss(model: torch.nn.Module, batch: FieldBatch, pooling: Pooling = "mean") -> torch.Tensor:
    """See :func:`contrast`."""
    return contrast(*both_sides(model, batch, pooling), batch)


class _Split:
    """The pairs of one split as batches."""

    def __init__(self, pairs: Pairs, pad_id: int, pooling: Pooling) -> None:
        self.pairs, self._pad, self._pooling = pairs, pad_id, pooling

    def stack(self, rows: Sequence[int]) -> FieldBatch:
        pairs = self.pairs
        input_ids, input_mask = padded([pairs.inputs[row] for row in rows], self._pad)
        output_ids, output_mask = padded([pairs.outputs[row] for row in rows], self._pad)
        fields = {
            "input_ids": input_ids,
            "input_mask": input_mask,
            "output_ids": output_ids,
            "output_mask": output_mask,
            "input_groups": torch.from_numpy(pairs.input_groups[list(rows)]),
            "output_groups": torch.from_numpy(pairs.output_groups[list(rows)]),
        }
        width = input_ids.shape[1] + output_ids.shape[1]
        return FieldBatch(fields, torch.ones(len(rows), dtype=torch.int64), width, whole=True)

    def examine(self, model: torch.nn.Module, compute: Compute, size: int) -> Mapping[str, Any]:
        """How often the output of an input is the nearest of all that are held out, and among the ten nearest."""
        pairs = self.pairs
        left, right = (self._vectors(model, texts, compute, size) for texts in (pairs.inputs, pairs.outputs))
        return {
            "documents": len(pairs),
            "candidates": len(np.unique(pairs.output_groups)),
            "recall_at_1": recall(left, right, pairs.output_groups, 1),
            "recall_at_10": recall(left, right, pairs.output_groups, 10),
        }

    def _vectors(self, model: torch.nn.Module, texts: Any, compute: Compute, size: int) -> np.ndarray:
        lengths = texts.lengths()
        order = list(by_length(lengths, np.arange(len(texts)), size))
        batches = []
        for rows in order:
            ids, mask = padded([texts[row] for row in rows], self._pad)
            batches.append(
                FieldBatch({"ids": ids, "mask": mask}, torch.ones(len(rows), dtype=torch.int64), ids.shape[1])
            )
        found = predictions(
            model,
            batches,
            compute,
            lambda model, batch: pooled(model, batch.fields["ids"], batch.fields["mask"], self._pooling),
        )
        vectors = np.empty_like(found)
        vectors[np.concatenate(order)] = found
        return vectors


def save_layout(folder: Path, longest: int, *, cased: bool = True) -> None:
    """Write beside a network what sentence-transformers reads: that its vectors are normalised means."""
    kinds = "sentence_transformers.models"
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    width = json.loads((folder / "config.json").read_text("utf-8"))["hidden_size"]
    files: dict[str, Any] = {
        "modules.json": [
            {"idx": number, "name": str(number), "path": path, "type": f"{kinds}.{kind}"}
            for number, (path, kind) in enumerate(modules)
        ],
        "sentence_bert_config.json": {"max_seq_length": longest, "do_lower_case": not cased},
        "config_sentence_transformers.json": {"prompts": {}, "default_prompt_name": None},
        POOLING_FILE: {"word_embedding_dimension": width, "pooling_mode_mean_tokens": True},
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def copy_layout(start: Checkpoint, folder: Path, width: int) -> None:
    """Lay beside a network of ``width`` what sentence-transformers reads beside ``start``, if there is any, but
    for what lies in its folder itself. Raises :class:`MachineLacks` for a full disk."""
    path = start.folder / POOLING_FILE
    if not path.is_file():
        return
    said = json.loads(path.read_text("utf-8"))
    said |= {name: width for name in ("word_embedding_dimension", "embedding_dimension") if name in said}
    with disk(folder):
        (folder / POOLING_FILE).parent.mkdir(exist_ok=True)
        (folder / POOLING_FILE).write_text(json.dumps(said, indent=1) + "\n", "utf-8")
