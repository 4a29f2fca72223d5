"""Pretraining from a text dataset: learn a tokenizer or take one, encode, train, save."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import TOKENS, Dataset
from aictl.artifacts.tokenizer import FILE, Tokenizer
from aictl.core.errors import BadInput, BadRequest, WorkFailed
from aictl.core.events import Events
from aictl.inference.quiet import quiet
from aictl.tokenizing.byte_bpe import ROLES
from aictl.tokenizing.encoder import Encoder
from aictl.tokenizing.folder import TokenizerFolder, write, write_config
from aictl.tokenizing.learning import learn_from
from aictl.tokenizing.packing import is_packed, pack
from aictl.tokenizing.shards import Tokens, read
from aictl.train import model as models
from aictl.train.presets import PRESETS, Preset
from aictl.train.spec import TrainSpec
from aictl.training import precision, tokens
from aictl.training.batches import TokenBatch
from aictl.training.loop import Job, fit
from aictl.training.ranks.joining import join
from aictl.training.state import disk

FEWEST_WINDOWS = 4  # a corpus that fills fewer sequences has nothing to learn from


def train(
    dataset: Dataset,
    spec: TrainSpec,
    folder: Path,
    *,
    tokenizer: Tokenizer | Checkpoint | None = None,
    scratch: Path,
    events: Events,
) -> Checkpoint:
    """Train a model on ``dataset``, with ``tokenizer`` or one that is learnt there too, and write both into
    ``folder``.

    ``scratch`` holds the tokenizer, the encoded corpus and the state of the loop; a run that
    finds them goes on from there. Raises :class:`BadRequest` for a sequence longer than the
    preset allows or a vocabulary size beside a tokenizer, :class:`BadInput` for a dataset that is too small or a
    tokenizer without an end token, :class:`WorkFailed` when training diverges or teaches the model nothing.
    """
    dataset.require_format("text", cure="make one with `aictl data prep FILES --format text`")
    preset = PRESETS[spec.preset]
    length = _sequence_length(spec, preset)
    compute = precision.choose(spec.precision)
    world = join(spec.parallel, compute, events)
    with world.in_turn():
        opened = _tokenizer(dataset, tokenizer, spec, scratch, events)
        corpus, validation = _encode(dataset, opened, scratch, events)
    _refuse_too_small(corpus, validation, length, dataset)
    sequences = spec.batch_size or preset.batch_size
    held_out = tokens.held_out(validation, sequences, length, spec.held_out_tokens)
    model = models.build(preset, opened, length, spec.loop.seed)
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
        world=world,
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
    _save_tokenizer(opened, folder, length)
    outcome.history.copy_to(folder)
    metrics = outcome.metrics()
    metrics["held_out"]["tokens"] = sum(batch.counted for batch in held_out)
    metrics["held_out"]["bits_per_byte"] = _bits_per_byte(outcome.held_out_after, held_out, opened)
    metrics |= {
        "perplexity": outcome.perplexity,
        "parameters": model.num_parameters(),
        "vocabulary": opened.vocabulary,
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


def _tokenizer(
    dataset: Dataset, given: Tokenizer | Checkpoint | None, spec: TrainSpec, scratch: Path, events: Events
) -> TokenizerFolder:
    if given is not None:
        if spec.vocab_size is not None:
            raise BadRequest(
                "--vocab-size is for learning a tokenizer, and --tokenizer gives one", cure="leave one out"
            )
        return TokenizerFolder(given.folder)
    folder = scratch / "tokenizer"
    if not folder.is_dir():
        partial = scratch / "tokenizer.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        events.started("tokenizer")
        size = spec.vocab_size or PRESETS[spec.preset].vocabulary
        write(learn_from(dataset.shards("train"), size, events=events), partial, ROLES)
        partial.rename(folder)
        events.finished("tokenizer")
    return TokenizerFolder(folder)


def _encode(dataset: Dataset, tokenizer: TokenizerFolder, scratch: Path, events: Events) -> tuple[Tokens, Tokens]:
    """The tokens of the train and the validation split, as the dataset has them if the same tokenizer packed it."""
    folder = dataset.folder / TOKENS
    if not is_packed(folder, tokenizer):
        folder = scratch / TOKENS
        texts = {"train": lambda: _texts(dataset, "train"), "validation": lambda: _texts(dataset, "validation")}
        pack(texts, Encoder(tokenizer, events), folder, events=events, documents=dataset.splits)
    return read(folder, "train"), read(folder, "validation")


def _texts(dataset: Dataset, split: str) -> Iterator[str]:
    return (document["text"] for document in dataset.documents(split))


def _save_tokenizer(tokenizer: TokenizerFolder, folder: Path, context: int) -> None:
    for name in (FILE, "chat_template.jinja"):
        if (tokenizer.folder / name).is_file():
            shutil.copyfile(tokenizer.folder / name, folder / name)
    write_config(tokenizer.config | {"model_max_length": context}, folder)


def _refuse_too_small(corpus: Tokens, validation: Tokens, length: int, dataset: Dataset) -> None:
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


def _bits_per_byte(loss: float, held_out: list[TokenBatch], tokenizer: TokenizerFolder) -> float:
    """The held-out loss in bits per byte of text, which unlike perplexity can be compared between
    tokenizers."""
    rows = [row for batch in held_out for row in batch.targets.tolist()]
    text_bytes = sum(len(text.encode()) for text in tokenizer.library.decode_batch(rows))
    return loss * sum(map(len, rows)) / math.log(2) / max(1, text_bytes)
