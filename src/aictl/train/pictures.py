"""Networks for pictures: fresh ones of a recipe's size, or a checkpoint's with a new head."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageClassification, ConvNextConfig, ResNetConfig, ViTConfig
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadRequest
from aictl.train.course import Course, Given
from aictl.train.recipes import PICTURES, PictureRecipe
from aictl.train.spec import TrainSpec
from aictl.training.tasks import image_classification, pretrained
from aictl.training.tasks.labels import Labels
from aictl.training.tasks.pictures import sizes

ARCHITECTURES = ("resnet", "vit", "convnext")
# Convolutions halve a picture twice before their first stage, so a small one is drawn at twice its size.
ENLARGED = 2
MULTIPLE = 8  # pixels; sides that halve evenly
ASKED = 1000  # pictures whose size is looked at
PATCHES_A_SIDE = 16


def classification(given: Given, spec: TrainSpec) -> Course:
    """A classifier of a dataset's pictures. Raises :class:`BadInput` for labels that cannot be learnt and
    :class:`BadRequest` for a checkpoint or options that do not fit."""
    recipe, start = PICTURES[spec.preset], given.start
    names = Labels(given.dataset).names
    if start:
        if spec.pictures.resolution:
            raise BadRequest("--resolution is for a fresh network: a checkpoint has its own", cure="leave it out")
        processor = pretrained.load_processor(start)
        changes = pretrained.classes_in_config(names)
        model = pretrained.load(AutoModelForImageClassification, start, given.events, spec.loop.seed, changes)
    else:
        side = resolution(given.dataset, spec, recipe)
        processor = ViTImageProcessorPil(
            size={"height": side, "width": side}, image_mean=[0.5] * 3, image_std=[0.5] * 3, do_convert_rgb=True
        )
        config = _config(spec.architecture or ARCHITECTURES[0], recipe, side, names)
        torch.manual_seed(spec.loop.seed)
        model = AutoModelForImageClassification.from_config(config)
    model.to(memory_format=torch.channels_last)
    lesson = image_classification.lesson(
        given.dataset,
        processor,
        pictures=spec.pictures,
        patches=patches_of(model),
        whole=compares_rows(model),
        batch_size=spec.batch_size or recipe.batch_size,
        held_out=spec.held_out_documents,
        seed=spec.loop.seed,
        scratch=given.scratch,
        events=given.events,
    )

    def save(folder: Path) -> None:
        model.to(memory_format=torch.contiguous_format)
        model.save_pretrained(folder)
        processor.save_pretrained(folder)

    return Course(model, lesson, recipe, save, goes_on=start is not None)


def resolution(dataset: Dataset, spec: TrainSpec, recipe: PictureRecipe) -> int:
    """The side in pixels at which pictures are seen."""
    if spec.pictures.resolution:
        return spec.pictures.resolution
    middle = statistics.median(sizes(dataset, "train", ASKED)) if dataset.splits.get("train") else recipe.resolution
    return int(min(recipe.resolution, -(-ENLARGED * middle // MULTIPLE) * MULTIPLE))


def compares_rows(model: torch.nn.Module) -> bool:
    """Whether the rows of a batch are normalised by one another, so that a part of it would give another result."""
    return any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in model.modules())


def patches_of(model: Any) -> int:
    """The positions that a picture is to a network: its patches, or those of the map that convolutions begin with."""
    config = model.config
    side = getattr(config, "image_size", None)
    patch = getattr(config, "patch_size", None)
    if isinstance(side, int) and isinstance(patch, int):
        return max(1, side // patch) ** 2
    return PATCHES_A_SIDE**2


def _config(architecture: str, recipe: PictureRecipe, side: int, names: Sequence[str]) -> Any:
    classes = pretrained.classes_in_config(names)
    widths, depths = list(recipe.widths), list(recipe.depths)
    if architecture == "vit":
        return ViTConfig(
            image_size=side,
            patch_size=max(1, side // PATCHES_A_SIDE),
            hidden_size=widths[-1],
            num_hidden_layers=sum(depths),
            num_attention_heads=max(1, widths[-1] // 64),
            intermediate_size=4 * widths[-1],
            **classes,
        )
    if architecture == "convnext":
        return ConvNextConfig(
            image_size=side, num_stages=len(widths), hidden_sizes=widths, depths=depths, patch_size=4, **classes
        )
    plain = sum(depths) < 16  # above 34 layers bottlenecks take over (https://arxiv.org/abs/1512.03385, table 1)
    return ResNetConfig(
        embedding_size=min(widths[0], 64),
        hidden_sizes=widths,
        depths=depths,
        layer_type="basic" if plain else "bottleneck",
        **classes,
    )
