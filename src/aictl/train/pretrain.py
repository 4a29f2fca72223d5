"""Pretraining from a text dataset, from the start or from a checkpoint: encode, train, save."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from transformers import AutoModelForCausalLM, PreTrainedConfig

from aictl.artifacts.capability import capability_of, require_capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import TOKENS, Dataset
from aictl.artifacts.tokenizer import Tokenizer
from aictl.core.artifact import Source
from aictl.core.errors import BadInput, BadRequest
from aictl.core.events import Events
from aictl.tokenizing.encoder import Encoder
from aictl.tokenizing.folder import TokenizerFolder
from aictl.tokenizing.learning import learn_from
from aictl.tokenizing.packing import is_packed, pack
from aictl.tokenizing.shards import Tokens, read
from aictl.train import configuration, routing, tokenizers
from aictl.train.course import refuse_useless
from aictl.train.spec import TrainSpec
from aictl.training import architectures, attention, saving, tokens
from aictl.training.batches import TokenBatch
from aictl.training.loop import Job, fit
from aictl.training.objective import judged_by, next_token_loss
from aictl.training.precision import Compute
from aictl.training.presets import PRESETS, Preset
from aictl.training.tasks import pretrained
from aictl.training.world import ALONE, World

CONTINUED_RATE = 0.1
FEWEST_WINDOWS = 4  # a corpus that fills fewer sequences has nothing to learn from


def train(
    dataset: Dataset,
    spec: TrainSpec,
    folder: Path,
    *,
    tokenizer: Tokenizer | Checkpoint | None = None,
    start: Checkpoint | None = None,
    config: Source | None = None,
    compute: Compute,
    world: World = ALONE,
    scratch: Path,
    events: Events,
) -> Checkpoint:
    """Train a model on ``dataset``, with ``tokenizer`` or one that is learnt there too, and write both into
    ``folder``.

    The model is ``start``, which keeps its tokenizer and its context, or of the shape in ``config``, or of the
    preset's. ``scratch`` holds the tokenizer, the encoded corpus and the state of the loop; a run that
    finds them goes on from there. Raises :class:`BadRequest` for a sequence longer than the
    model allows, a vocabulary size beside a tokenizer or a configuration that does not go with it, :class:`BadInput`
    for a dataset that is too small or a tokenizer without an end token, :class:`WorkFailed` when training diverges or
    teaches the model nothing.
    """
    dataset.require_format("text", cure="make one with `aictl data prep FILES --format text`")
    if start:
        require_capability(start.label, capability_of(start.config), "text-generation", command="train --from")
    preset = PRESETS[spec.preset]
    values = configuration.read(config) if config else {}
    length = sequence_length(spec, preset, start, configuration.context_of(values))
    learnt_size = spec.vocab_size or int(values.get("vocab_size") or preset.vocabulary)
    with world.in_turn():
        opened = tokenizers.given_or_learnt(
            tokenizer,
            start,
            spec.vocab_size,
            lambda: learn_from(dataset.shards("train"), learnt_size, events=events),
            scratch=scratch,
            events=events,
        )
        corpus, validation = _encode(dataset, opened, scratch, events)
    _refuse_too_small(corpus, validation, length, dataset)
    sequences = spec.batch_size or preset.batch_size
    end = opened.id("eos_token") if spec.document_mask else None
    held_out = tokens.held_out(validation, sequences, length, spec.held_out_tokens, end)
    if start:
        model = pretrained.load(AutoModelForCausalLM, start, events, spec.loop.seed)
        pretrained.require_room(model, opened)
    else:
        shape = (
            configuration.complete(values, opened, length, config.uri)
            if config
            else architectures.config_of(spec.architecture or "llama", preset, opened, length)
        )
        model = architectures.build(shape, spec.loop.seed)
    if spec.document_mask and not compute.compiled:  # compiled, transformers' own mask is the faster
        attention.install(model)
    job = Job(
        model=model,
        batches=tokens.PackedBatches(corpus, sequences, length, spec.loop.seed, end),
        held_out=held_out,
        max_steps=spec.max_steps or preset.max_steps,
        peak_rate=spec.optimizer.learning_rate or _rate(model.config, preset, start),
        optimizer=spec.optimizer,
        loop=spec.loop,
        compute=compute,
        scratch=scratch,
        world=world,
        objective=routing.objective_of(model),
        judge=judged_by(next_token_loss),
    )
    outcome = fit(job, events)
    refuse_useless(outcome, start is not None, events)
    saving.save(model, folder)
    tokenizers.save(opened, folder, start.context_length if start else length)
    outcome.leave(folder, events)
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


def sequence_length(spec: TrainSpec, preset: Preset, start: Checkpoint | None, configured: int | None) -> int:
    """Tokens of a training sequence. Raises :class:`BadRequest` for more than the model's context."""
    if start:
        context, whose, more = start.context_length, f"'{start.label}' has", ""
    elif configured:
        context, whose, more = configured, "the model of --config has", ""
    else:
        context, whose, more = preset.context, f"preset '{spec.preset}' has", ", or a larger preset"
    length = spec.sequence_length or min(preset.sequence_length, context)
    if length > context:
        raise BadRequest(
            f"--sequence-length {length}: {whose} a context of at most {context} tokens",
            cure=f"--sequence-length {context}{more}",
        )
    return length


def _rate(config: PreTrainedConfig, preset: Preset, start: Checkpoint | None) -> float:
    """The peak learning rate that suits: the preset's, or for a model of another shape that of the preset nearest in
    width; a tenth of it for weights that have learnt, which a large rate would undo."""
    width = getattr(config, "hidden_size", preset.hidden_size)
    nearest = min(PRESETS.values(), key=lambda one: abs(one.hidden_size - width))
    rate = preset.learning_rate if width == preset.hidden_size else nearest.learning_rate
    return CONTINUED_RATE * rate if start else rate


def _encode(dataset: Dataset, tokenizer: TokenizerFolder, scratch: Path, events: Events) -> tuple[Tokens, Tokens]:
    """The tokens of the train and the validation split, as the dataset has them if the same tokenizer packed it."""
    folder = dataset.folder / TOKENS
    if not is_packed(folder, tokenizer):
        if folder.exists():
            # The documents alone decide over a dataset's id, so how they were packed may not decide over a model.
            events.noted(
                f"'{dataset.label}' was packed by another tokenizer, and is encoded anew: --tokenizer names that one",
                level="warning",
            )
        folder = scratch / TOKENS
        texts = {"train": lambda: _texts(dataset, "train"), "validation": lambda: _texts(dataset, "validation")}
        pack(texts, Encoder(tokenizer, events), folder, events=events, documents=dataset.splits)
    return read(folder, "train"), read(folder, "validation")


def _texts(dataset: Dataset, split: str) -> Iterator[str]:
    return (document["text"] for document in dataset.documents(split))


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
