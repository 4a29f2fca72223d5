"""Networks for texts: fresh ones of a recipe's size, or a checkpoint's, with a new head where the task needs one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModel,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    BartConfig,
    BertConfig,
    ModernBertConfig,
    T5Config,
)

from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadRequest
from aictl.tokenizing.byte_bpe import learn
from aictl.tokenizing.folder import TokenizerFolder
from aictl.train import tokenizers
from aictl.train.course import Course, Given
from aictl.train.recipes import SEQUENCES, TEXTS, TextRecipe
from aictl.train.spec import TrainSpec
from aictl.training import saving
from aictl.training.tasks import embedding, pretrained, text_classification, text_to_text
from aictl.training.tasks.labels import Labels
from aictl.training.tasks.pairs import SIDES


def classification(given: Given, spec: TrainSpec) -> Course:
    """A classifier of a dataset's texts. Raises :class:`BadRequest` for options that do not go together and
    :class:`BadInput` for labels that cannot be learnt."""
    recipe = TEXTS[spec.preset]
    classes = pretrained.classes_in_config(Labels(given.dataset).names)
    opened = _tokenizer(given, spec, recipe)
    longest = sequence_length(spec, given.start, recipe)
    model = _network(AutoModelForSequenceClassification, given, spec, _encoder(spec, recipe, opened, longest, classes))
    pretrained.require_room(model, opened)
    if model.config.pad_token_id is None:  # a decoder finds the end of each text by it
        model.config.pad_token_id = opened.id("pad_token") or opened.id("eos_token")
    lesson = text_classification.lesson(
        given.dataset, opened, longest=longest, **_how(spec, recipe), scratch=given.scratch, events=given.events
    )
    return Course(model, lesson, recipe, _saving(model, opened, given, longest), goes_on=given.start is not None)


def embeddings(given: Given, spec: TrainSpec) -> Course:
    """An encoder whose vectors are near for texts that belong together. Raises :class:`BadRequest` for options that do
    not go together and :class:`BadInput` for pairs that cannot be learnt."""
    recipe = TEXTS[spec.preset]
    opened = _tokenizer(given, spec, recipe)
    longest = sequence_length(spec, given.start, recipe)
    model = _network(AutoModel, given, spec, _encoder(spec, recipe, opened, longest, {}))
    pretrained.require_room(model, opened)
    pooler = getattr(model, "pooler", None)
    if pooler is not None:  # of the mean of the hidden states it is no part
        pooler.requires_grad_(False)
    lesson = embedding.lesson(
        given.dataset, opened, longest=longest, **_how(spec, recipe), scratch=given.scratch, events=given.events
    )
    keep = _saving(model, opened, given, longest)

    def save(folder: Path) -> None:
        keep(folder)
        embedding.save_layout(folder, longest)

    return Course(model, lesson, recipe, save, goes_on=given.start is not None)


def sequences(given: Given, spec: TrainSpec) -> Course:
    """An encoder-decoder that turns inputs into outputs. Raises :class:`BadRequest` for options that do not go
    together and :class:`BadInput` for pairs that cannot be learnt."""
    recipe = SEQUENCES[spec.preset]
    opened = _tokenizer(given, spec, recipe)
    if not given.start:
        opened = tokenizers.closing(opened, given.scratch)
    longest = sequence_length(spec, given.start, recipe)
    model = _network(AutoModelForSeq2SeqLM, given, spec, _encoder_decoder(spec, recipe, opened, longest))
    pretrained.require_room(model, opened)
    lesson = text_to_text.lesson(
        given.dataset, opened, longest=longest, **_how(spec, recipe), scratch=given.scratch, events=given.events
    )
    return Course(model, lesson, recipe, _saving(model, opened, given, longest), goes_on=given.start is not None)


def sequence_length(spec: TrainSpec, start: Checkpoint | None, recipe: TextRecipe) -> int:
    """Raises :class:`BadRequest` for one beyond the context."""
    context = start.context_length if start else recipe.context
    length = spec.sequence_length or min(recipe.sequence_length, context)
    if length > context:
        raise BadRequest(
            f"--sequence-length {length}: the model has a context of at most {context} tokens",
            cure=f"--sequence-length {context}",
        )
    return length


def _how(spec: TrainSpec, recipe: TextRecipe) -> dict[str, Any]:
    return {
        "batch_size": spec.batch_size or recipe.batch_size,
        "held_out": spec.held_out_documents,
        "seed": spec.loop.seed,
    }


def _tokenizer(given: Given, spec: TrainSpec, recipe: TextRecipe) -> TokenizerFolder:
    size = spec.vocab_size or recipe.vocabulary
    return tokenizers.given_or_learnt(
        given.tokenizer,
        given.start,
        spec.vocab_size,
        lambda: learn(_texts(given.dataset), size),
        scratch=given.scratch,
        events=given.events,
    )


def _texts(dataset: Dataset) -> Iterator[str]:
    for document in dataset.documents("train"):
        yield from (str(document[name]) for name in ("text", *SIDES) if document.get(name))


def _network(auto_class: Any, given: Given, spec: TrainSpec, config: Any) -> Any:
    if given.start:
        classes = {name: getattr(config, name) for name in ("id2label", "label2id")}
        changes = classes if auto_class is AutoModelForSequenceClassification else {}
        return pretrained.load(auto_class, given.start, given.events, spec.loop.seed, changes)
    torch.manual_seed(spec.loop.seed)
    return auto_class.from_config(config)


def _saving(model: Any, tokenizer: TokenizerFolder, given: Given, longest: int) -> Any:
    def save(folder: Path) -> None:
        saving.save(model, folder)
        tokenizers.save(tokenizer, folder, given.start.context_length if given.start else longest)

    return save


def _special(tokenizer: TokenizerFolder) -> dict[str, Any]:
    return {f"{role}_id": tokenizer.id(role) for role in ("pad_token", "bos_token", "eos_token")}


def _encoder(
    spec: TrainSpec, recipe: TextRecipe, tokenizer: TokenizerFolder, context: int, classes: Mapping[str, Any]
) -> Any:
    shape: dict[str, Any] = {
        "vocab_size": tokenizer.vocabulary,
        "hidden_size": recipe.hidden_size,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
        "intermediate_size": recipe.intermediate_size,
        "max_position_embeddings": context,
        **_special(tokenizer),
        **classes,
    }
    if spec.architecture == "bert":
        return BertConfig(**shape, type_vocab_size=1)
    # A mean over the tokens learns sooner than the first token alone, which has to be taught to gather them.
    begin, end = tokenizer.id("cls_token") or shape["bos_token_id"], tokenizer.id("sep_token") or shape["eos_token_id"]
    return ModernBertConfig(**shape, classifier_pooling="mean", cls_token_id=begin, sep_token_id=end)


def _encoder_decoder(spec: TrainSpec, recipe: TextRecipe, tokenizer: TokenizerFolder, context: int) -> Any:
    special = _special(tokenizer)
    if spec.architecture != "t5":
        return BartConfig(
            vocab_size=tokenizer.vocabulary,
            d_model=recipe.hidden_size,
            encoder_layers=recipe.layers,
            decoder_layers=recipe.layers,
            encoder_attention_heads=recipe.heads,
            decoder_attention_heads=recipe.heads,
            encoder_ffn_dim=recipe.intermediate_size,
            decoder_ffn_dim=recipe.intermediate_size,
            max_position_embeddings=context + 1,  # the decoder's first token stands before what it writes
            decoder_start_token_id=special["eos_token_id"],
            forced_eos_token_id=None,
            **special,
        )
    return T5Config(
        vocab_size=tokenizer.vocabulary,
        d_model=recipe.hidden_size,
        d_kv=recipe.hidden_size // recipe.heads,
        d_ff=recipe.intermediate_size,
        num_layers=recipe.layers,
        num_heads=recipe.heads,
        feed_forward_proj="gated-gelu",
        decoder_start_token_id=special["pad_token_id"],
        **special,
    )
