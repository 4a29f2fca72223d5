"""Dual encoders: fresh ones of a recipe's size, or a checkpoint's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, CLIPConfig
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadRequest
from aictl.tokenizing.byte_bpe import learn
from aictl.tokenizing.folder import TokenizerFolder
from aictl.train import tokenizers
from aictl.train.course import Course, Given
from aictl.train.pictures import resolution
from aictl.train.recipes import DUALS, DualRecipe
from aictl.train.spec import TrainSpec
from aictl.training.tasks import image_text, pretrained

LEGACY_END = 2  # CLIP takes this id of its end token for a mistake of old, and looks for the largest id instead


def images_and_texts(given: Given, spec: TrainSpec) -> Course:
    """Two encoders that put a picture near its caption. Raises :class:`BadInput` for pictures without captions and
    :class:`BadRequest` for a checkpoint or options that do not fit."""
    recipe, start = DUALS[spec.preset], given.start
    size = spec.vocab_size or recipe.vocabulary
    opened = tokenizers.given_or_learnt(
        given.tokenizer,
        start,
        spec.vocab_size,
        lambda: learn((str(one.get("caption") or "") for one in given.dataset.documents("train")), size),
        scratch=given.scratch,
        events=given.events,
    )
    if start:
        _refuse_unlike(start, spec)
        processor = pretrained.load_processor(start)
        model = pretrained.load(AutoModel, start, given.events, spec.loop.seed)
        pretrained.require_room(model.text_model, opened)
    else:
        opened = tokenizers.closing(opened, given.scratch)
        if opened.end_id == LEGACY_END:
            raise BadRequest(
                f"the tokenizer in {opened.folder} has the end token at id {LEGACY_END}, which a CLIP does not look at",
                cure="leave --tokenizer out, so that one is learnt",
            )
        side = resolution(given.dataset, spec, recipe.resolution)
        square = {"height": side, "width": side}
        processor = CLIPImageProcessorPil(size=square, crop_size=square, do_convert_rgb=True)
        torch.manual_seed(spec.loop.seed)
        model = AutoModel.from_config(_config(recipe, opened, side))
    context = model.config.text_config.max_position_embeddings
    longest = spec.sequence_length or min(recipe.sequence_length, context)
    if longest > context:
        raise BadRequest(
            f"--sequence-length {longest}: the model has a context of at most {context} tokens",
            cure=f"--sequence-length {context}",
        )
    vision = model.config.vision_config
    lesson = image_text.lesson(
        given.dataset,
        opened,
        processor,
        pictures=spec.pictures,
        patches=(vision.image_size // vision.patch_size) ** 2,
        longest=longest,
        batch_size=spec.batch_size or recipe.batch_size,
        held_out=spec.held_out_documents,
        seed=spec.loop.seed,
        scratch=given.scratch,
        events=given.events,
    )

    def save(folder: Path) -> None:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        tokenizers.save(opened, folder, context)

    return Course(model, lesson, recipe, save, goes_on=start is not None)


def _refuse_unlike(start: Checkpoint, spec: TrainSpec) -> None:
    kind = start.config.get("model_type")
    if kind not in image_text.KINDS:
        raise BadRequest(
            f"checkpoint '{start.label}' is a {kind}, and --task image-text goes on from {', '.join(image_text.KINDS)}",
            cure="give a checkpoint of such a network, or leave --from out",
        )
    if spec.pictures.resolution:
        raise BadRequest("--resolution is for a fresh network: a checkpoint has its own", cure="leave it out")


def _config(recipe: DualRecipe, tokenizer: TokenizerFolder, side: int) -> CLIPConfig:
    shape: dict[str, Any] = {
        "hidden_size": recipe.hidden_size,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
        "intermediate_size": recipe.intermediate_size,
    }
    special = {f"{role}_id": tokenizer.id(role) for role in ("pad_token", "bos_token", "eos_token")}
    text = {"vocab_size": tokenizer.vocabulary, "max_position_embeddings": recipe.context, **special}
    return CLIPConfig(
        text_config=shape | text,
        vision_config=shape | {"image_size": side, "patch_size": recipe.patch},
        projection_dim=recipe.hidden_size,
    )
