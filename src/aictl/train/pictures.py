"""Networks for pictures: fresh ones of a recipe's size, or a checkpoint's, with a new head where the task needs one."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForImageClassification,
    AutoModelForObjectDetection,
    ConvNextConfig,
    DetrConfig,
    ResNetConfig,
    ViTConfig,
)
from transformers.models.detr.image_processing_pil_detr import DetrImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput, BadRequest
from aictl.core.extras import require
from aictl.train.course import Course, Given
from aictl.train.recipes import DETECTORS, PICTURES, DetectorRecipe, PictureRecipe
from aictl.train.spec import TrainSpec
from aictl.training.tasks import image_classification, object_detection, pretrained
from aictl.training.tasks.labels import Labels
from aictl.training.tasks.pictures import PATCHES_A_SIDE, compares_rows, patches_of, sizes

# Convolutions halve a picture twice before their first stage, so a small one is drawn at twice its size.
ENLARGED = 2
MULTIPLE = 8  # pixels; sides that halve evenly
ASKED = 1000  # pictures whose size is looked at
STRIDE = 32  # pixels that a position of the last of four stages stands for


def classification(given: Given, spec: TrainSpec) -> Course:
    """A classifier of a dataset's pictures. Raises :class:`BadInput` for labels that cannot be learnt and
    :class:`BadRequest` for a checkpoint or options that do not fit."""
    recipe, start = PICTURES[spec.preset], given.start
    classes = pretrained.classes_in_config(Labels(given.dataset).names)
    if start:
        if spec.pictures.resolution:
            raise BadRequest("--resolution is for a fresh network: a checkpoint has its own", cure="leave it out")
        processor = pretrained.load_processor(start)
        model = pretrained.load(AutoModelForImageClassification, start, given.events, spec.loop.seed, classes)
    else:
        side = resolution(given.dataset, spec, recipe.resolution)
        processor = ViTImageProcessorPil(size=_square(side), image_mean=[0.5] * 3, image_std=[0.5] * 3)
        torch.manual_seed(spec.loop.seed)
        model = AutoModelForImageClassification.from_config(_classifier(spec, recipe, side, classes))
    model.to(memory_format=torch.channels_last)
    lesson = image_classification.lesson(
        given.dataset,
        processor,
        patches=patches_of(model),
        whole=compares_rows(model),
        **_how(spec, given, spec.batch_size or recipe.batch_size),
    )
    return Course(model, lesson, recipe, saving(model, processor), goes_on=start is not None)


def detection(given: Given, spec: TrainSpec) -> Course:
    """A detector of things in a dataset's pictures. Raises :class:`BadInput` for boxes that cannot be learnt and
    :class:`BadRequest` for a checkpoint or options that do not fit."""
    require("detection")
    recipe, start, names = DETECTORS[spec.preset], given.start, given.dataset.classes
    if not names:
        raise BadInput(
            f"dataset '{given.dataset.label}' names no classes of boxes", cure="prepare pictures with labelled boxes"
        )
    classes = pretrained.classes_in_config(names)
    if start:
        processor = pretrained.load_processor(start)
        # Pictures of one size make batches of one size, whatever the checkpoint was trained on.
        processor.size = _square(resolution(given.dataset, spec, recipe.resolution))
        model = pretrained.load(AutoModelForObjectDetection, start, given.events, spec.loop.seed, classes)
    else:
        side = resolution(given.dataset, spec, recipe.resolution)
        processor = DetrImageProcessorPil(size=_square(side))
        torch.manual_seed(spec.loop.seed)
        model = AutoModelForObjectDetection.from_config(_detector(recipe, classes))
    lesson = object_detection.lesson(
        given.dataset,
        processor,
        patches=max(1, int(processor.size["height"]) // STRIDE) ** 2,
        whole=compares_rows(model),
        **_how(spec, given, spec.batch_size or recipe.batch_size),
    )
    return Course(model, lesson, recipe, saving(model, processor), goes_on=start is not None)


def resolution(dataset: Dataset, spec: TrainSpec, most: int) -> int:
    """The side in pixels at which pictures are seen, ``most`` unless told otherwise."""
    if spec.pictures.resolution:
        return spec.pictures.resolution
    middle = statistics.median(sizes(dataset, "train", ASKED)) if dataset.splits.get("train") else most
    return int(min(most, max(MULTIPLE, -(-ENLARGED * middle // MULTIPLE) * MULTIPLE)))


def saving(model: Any, processor: Any) -> Callable[[Path], None]:
    def save(folder: Path) -> None:
        model.to(memory_format=torch.contiguous_format)
        model.save_pretrained(folder)
        processor.save_pretrained(folder)

    return save


def _how(spec: TrainSpec, given: Given, batch_size: int) -> dict[str, Any]:
    return {
        "pictures": spec.pictures,
        "batch_size": batch_size,
        "held_out": spec.held_out_documents,
        "seed": spec.loop.seed,
        "scratch": given.scratch,
        "events": given.events,
    }


def _square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


def _classifier(spec: TrainSpec, recipe: PictureRecipe, side: int, classes: Mapping[str, Any]) -> Any:
    widths, depths = list(recipe.widths), list(recipe.depths)
    if spec.architecture == "vit":
        return ViTConfig(
            image_size=side,
            patch_size=max(1, side // PATCHES_A_SIDE),
            hidden_size=widths[-1],
            num_hidden_layers=sum(depths),
            num_attention_heads=max(1, widths[-1] // 64),
            intermediate_size=4 * widths[-1],
            **classes,
        )
    if spec.architecture == "convnext":
        return ConvNextConfig(
            image_size=side, num_stages=len(widths), hidden_sizes=widths, depths=depths, patch_size=4, **classes
        )
    return _resnet(recipe, **classes)


def _resnet(recipe: PictureRecipe, **more: Any) -> ResNetConfig:
    widths, depths = list(recipe.widths), list(recipe.depths)
    plain = sum(depths) < 16  # above 34 layers bottlenecks take over (https://arxiv.org/abs/1512.03385, table 1)
    return ResNetConfig(
        embedding_size=min(widths[0], 64),
        hidden_sizes=widths,
        depths=depths,
        layer_type="basic" if plain else "bottleneck",
        **more,
    )


def _detector(recipe: DetectorRecipe, classes: Mapping[str, Any]) -> DetrConfig:
    heads = max(1, recipe.hidden_size // 32)
    return DetrConfig(
        backbone_config=_resnet(recipe, out_features=[f"stage{len(recipe.widths)}"]),
        use_timm_backbone=False,
        d_model=recipe.hidden_size,
        encoder_layers=recipe.layers,
        decoder_layers=recipe.layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * recipe.hidden_size,
        decoder_ffn_dim=4 * recipe.hidden_size,
        num_queries=recipe.queries,
        auxiliary_loss=True,  # every layer of the decoder learns to answer, without which little is learnt
        **classes,
    )
