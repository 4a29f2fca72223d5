"""Pretraining from a text dataset: learn a tokenizer, encode, train, save."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput, BadRequest, WorkFailed
from aictl.core.events import Events
from aictl.inference.quiet import quiet
from aictl.train import model as models
from aictl.train import tokenizer as tokenizers
from aictl.train.presets import PRESETS, Preset
from aictl.train.spec import TrainSpec
from aictl.training import precision, tokens
from aictl.training.batches import Batch
from aictl.training.loop import Job, fit
from aictl.training.state import disk

FEWEST_WINDOWS = 4  # a corpus that fills fewer sequences has nothing to learn from


def train(dataset: Dataset, spec: TrainSpec, folder: Path, *, scratch: Path, events: Events) -> Checkpoint:
    """Train a model and its tokenizer on ``dataset`` and write both into ``folder``.

    ``scratch`` holds the tokenizer, the encoded corpus and the state of the loop; a run that
    finds them goes on from there. Raises :class:`BadRequest` for a sequence longer than the
    preset allows, :class:`BadInput` for a dataset that is too small, :class:`WorkFailed` when
    training diverges or teaches the model nothing.
    """
    dataset.require_format("text", cure="make one with `aictl data prep FILES --format text`")
    preset = PRESETS[spec.preset]
    length = _sequence_length(spec, preset)
    compute = precision.choose(spec.precision)
    tokenizer = _learn_tokenizer(dataset, spec.vocab_size or preset.vocabulary, scratch, events)
    corpus, validation = (_encode(dataset, split, tokenizer, scratch, events) for split in ("train", "validation"))
    _refuse_too_small(corpus, validation, length, dataset)
    sequences = spec.batch_size or preset.batch_size
    held_out = tokens.held_out(validation, sequences, length, spec.held_out_tokens)
    model = models.build(preset, tokenizer, length, spec.loop.seed)
    job = Job(
        model=model,
        batches=tokens.PackedBatches(corpus, sequences, length, spec.loop.seed),
        held_out=held_out,
        max_steps=spec.max_steps or preset.max_steps,
        peak_rate=spec.optimizer.learning_rate or preset.learning_rate,
        optimizer=spec.optimizer,
        loop=spec.loop,
        compute=compute,
        scratch=scratch,
    )
    outcome = fit(job, events)
    if outcome.held_out_after >= outcome.held_out_before:
        raise WorkFailed(
            f"the model learnt nothing: held-out loss {outcome.held_out_before:.3f} before and "
            f"{outcome.held_out_after:.3f} after {outcome.steps} steps",
            cure="lower --learning-rate or raise --max-steps",
        )
    with disk(folder), quiet():
        models.save(model, folder)
    tokenizers.save(tokenizer, folder, length)
    outcome.history.copy_to(folder)
    metrics = outcome.metrics()
    metrics["held_out"]["tokens"] = sum(batch.counted for batch in held_out)
    metrics["held_out"]["bits_per_byte"] = _bits_per_byte(outcome.held_out_after, held_out, tokenizer)
    metrics |= {
        "parameters": model.num_parameters(),
        "vocabulary": tokenizer.get_vocab_size(),
        "corpus_tokens": len(corpus),
    }
    size = f"{metrics['parameters'] / 1e6:.1f}M parameters"
    return Checkpoint(folder, metrics=metrics, summary=f"{size}, held-out perplexity {metrics['perplexity']:.1f}")


def _sequence_length(spec: TrainSpec, preset: Preset) -> int:
    length = spec.sequence_length or preset.sequence_length
    if length > preset.context:
        raise BadRequest(
            f"--sequence-length {length}: preset '{spec.preset}' has a context of at most {preset.context} tokens",
            cure=f"--sequence-length {preset.context}, or a larger preset",
        )
    return length


def _texts(dataset: Dataset, split: str) -> Iterator[str]:
    return (document["text"] for document in dataset.documents(split))


def _learn_tokenizer(dataset: Dataset, vocab_size: int, scratch: Path, events: Events) -> Tokenizer:
    path = scratch / "tokenizer.json"
    if path.exists():
        return Tokenizer.from_file(str(path))
    events.started("tokenizer")
    tokenizer = tokenizers.learn(_texts(dataset, "train"), vocab_size)
    partial = path.with_suffix(".partial")
    tokenizer.save(str(partial))
    partial.replace(path)
    events.finished("tokenizer")
    return tokenizer


def _encode(dataset: Dataset, split: str, tokenizer: Tokenizer, scratch: Path, events: Events) -> np.ndarray:
    path = scratch / f"{split}.tokens"
    vocabulary = tokenizer.get_vocab_size()
    if path.exists():
        return tokens.read_tokens(path, vocabulary)
    task = f"encode {split}"
    events.started(task, dataset.splits.get(split, 0), "documents")

    def encoded() -> Iterator[list[int]]:
        for done, ids in enumerate(tokenizers.encode(tokenizer, _texts(dataset, split)), 1):
            yield ids
            if done % 256 == 0:
                events.advanced(task, done)

    array = tokens.write_tokens(path, encoded(), vocabulary)
    events.finished(task)
    return array


def _refuse_too_small(corpus: np.ndarray, validation: np.ndarray, length: int, dataset: Dataset) -> None:
    needed = FEWEST_WINDOWS * length + 1
    if len(corpus) < needed:
        raise BadInput(
            f"dataset '{dataset.label}' has {len(corpus)} tokens to train on, and at least {needed} are needed",
            cure="add more text, or give a shorter --sequence-length",
        )
    if len(validation) < 2:
        raise BadInput(
            f"dataset '{dataset.label}' has no text in its validation split, so nothing to measure the model on",
            cure="add more documents, or prepare the data with a larger share for validation",
        )


def _bits_per_byte(loss: float, held_out: list[Batch], tokenizer: Tokenizer) -> float:
    """The held-out loss in bits per byte of text, which unlike perplexity can be compared between
    tokenizers."""
    rows = [row for batch in held_out for row in batch.targets.tolist()]
    text_bytes = sum(len(text.encode()) for text in tokenizer.decode_batch(rows))
    return loss * sum(map(len, rows)) / math.log(2) / max(1, text_bytes)
