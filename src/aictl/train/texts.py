"""Encoders of texts: fresh ones of a recipe's size, or a checkpoint's with a new head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, BertConfig, ModernBertConfig

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.tokenizer import Tokenizer
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.tokenizing.byte_bpe import learn
from aictl.tokenizing.folder import TokenizerFolder
from aictl.train import tokenizers
from aictl.train.course import Course
from aictl.train.recipes import TEXTS, TextRecipe
from aictl.train.spec import TrainSpec
from aictl.training.tasks import pretrained, text_classification
from aictl.training.tasks.labels import Labels
from aictl.training.tasks.texts import text_of

ARCHITECTURES = ("modernbert", "bert")


def classification(
    dataset: Dataset,
    spec: TrainSpec,
    *,
    tokenizer: Tokenizer | Checkpoint | None,
    start: Checkpoint | None,
    scratch: Path,
    events: Events,
) -> Course:
    """A classifier of a dataset's texts. Raises :class:`BadRequest` for options that do not go together and
    :class:`BadInput` for labels that cannot be learnt."""
    recipe = TEXTS[spec.preset]
    names = Labels(dataset).names
    opened = _tokenizer(dataset, spec, tokenizer, start, scratch=scratch, events=events)
    longest = sequence_length(spec, start.context_length if start else recipe.context, recipe)
    if start:
        changes = pretrained.classes_in_config(names)
        model = pretrained.load(AutoModelForSequenceClassification, start, events, spec.loop.seed, changes)
        pretrained.require_room(model, opened)
    else:
        config = _config(spec.architecture or ARCHITECTURES[0], recipe, opened, longest, names)
        torch.manual_seed(spec.loop.seed)
        model = AutoModelForSequenceClassification.from_config(config)
    if model.config.pad_token_id is None:
        model.config.pad_token_id = opened.id("pad_token") or opened.id("eos_token")
    lesson = text_classification.lesson(
        dataset,
        opened,
        longest=longest,
        batch_size=spec.batch_size or recipe.batch_size,
        held_out=spec.held_out_documents,
        seed=spec.loop.seed,
        scratch=scratch,
        events=events,
    )

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        tokenizers.save(opened, folder, start.context_length if start else longest)

    return Course(model, lesson, recipe, save, goes_on=start is not None)


def sequence_length(spec: TrainSpec, context: int, recipe: TextRecipe) -> int:
    """Raises :class:`BadRequest` for one beyond the context."""
    length = spec.sequence_length or min(recipe.sequence_length, context)
    if length > context:
        raise BadRequest(
            f"--sequence-length {length}: the model has a context of at most {context} tokens",
            cure=f"--sequence-length {context}",
        )
    return length


def _tokenizer(
    dataset: Dataset,
    spec: TrainSpec,
    given: Tokenizer | Checkpoint | None,
    start: Checkpoint | None,
    *,
    scratch: Path,
    events: Events,
) -> TokenizerFolder:
    size = spec.vocab_size or TEXTS[spec.preset].vocabulary
    return tokenizers.given_or_learnt(
        given or start, spec.vocab_size, lambda: learn(map(text_of, dataset.documents("train")), size), scratch, events
    )


def _config(
    architecture: str, recipe: TextRecipe, tokenizer: TokenizerFolder, context: int, names: Sequence[str]
) -> Any:
    shape: dict[str, Any] = {
        "vocab_size": tokenizer.vocabulary,
        "hidden_size": recipe.hidden_size,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
        "intermediate_size": recipe.intermediate_size,
        "max_position_embeddings": context,
        "pad_token_id": tokenizer.id("pad_token"),
        "bos_token_id": tokenizer.id("bos_token"),
        "eos_token_id": tokenizer.id("eos_token"),
        **pretrained.classes_in_config(names),
    }
    if architecture == "bert":
        return BertConfig(**shape, type_vocab_size=1)
    # A mean over the tokens learns sooner than the first token alone, which has to be taught to gather them.
    begin, end = tokenizer.id("cls_token") or shape["bos_token_id"], tokenizer.id("sep_token") or shape["eos_token_id"]
    return ModernBertConfig(**shape, classifier_pooling="mean", cls_token_id=begin, sep_token_id=end)
