"""A checkpoint that tells texts or pictures apart, made ready to learn more of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from transformers import AutoModelForImageClassification, AutoModelForSequenceClassification, PreTrainedModel

from aictl.artifacts.capability import Capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.core.extras import require
from aictl.tokenizing.folder import TokenizerFolder
from aictl.training.spec import PictureSpec
from aictl.training.tasks import pretrained, text_classification
from aictl.training.tasks.labels import Labels
from aictl.training.tasks.lesson import Lesson

CLASSIFIERS: tuple[Capability, ...] = ("text-classification", "image-classification")


class Teaching(NamedTuple):
    """How a network is taught: rows in a batch, documents that are judged while it trains, the most tokens of a
    text, and how pictures are changed."""

    batch_size: int
    held_out: int
    longest: int
    pictures: PictureSpec
    seed: int


def open_classifier(
    checkpoint: Checkpoint, dataset: Dataset, how: Teaching, *, scratch: Path, events: Events
) -> tuple[PreTrainedModel, Lesson]:
    """The checkpoint's network with a head for the dataset's classes, its own if they are the same, and the lesson.

    Raises :class:`BadRequest` and :class:`BadInput` for options and labels that do not fit, :class:`WrongKind` for a
    dataset of another format.
    """
    if checkpoint.capability == "text-classification":
        return _texts(checkpoint, dataset, how, scratch=scratch, events=events)
    return _pictures(checkpoint, dataset, how, scratch=scratch, events=events)


def require_classes(checkpoint: Checkpoint, names: Sequence[str], *, why: str, cure: str) -> None:
    """Raise :class:`BadRequest` unless the checkpoint's classes are these, in this order. ``why`` they have to be is
    part of the message."""
    known = checkpoint.config.get("id2label") or {}
    has = [str(known[key]) for key in sorted(known, key=int)]
    if list(names) != has:
        raise BadRequest(
            f"'{checkpoint.label}' knows the classes {', '.join(has[:5])}, and the dataset has "
            f"{', '.join(names[:5])}: {why}",
            cure=cure,
        )


def _texts(
    checkpoint: Checkpoint, dataset: Dataset, how: Teaching, *, scratch: Path, events: Events
) -> tuple[PreTrainedModel, Lesson]:
    dataset.require_format("text", cure="make one with `aictl data prep FILES`, and label it")
    classes = pretrained.classes_in_config(Labels(dataset).names)
    tokenizer = TokenizerFolder(checkpoint.folder)
    model = pretrained.load(AutoModelForSequenceClassification, checkpoint, events, how.seed, classes)
    pretrained.require_room(model, tokenizer)
    if model.config.pad_token_id is None:  # a decoder finds the end of each text by it
        model.config.pad_token_id = tokenizer.id("pad_token") or tokenizer.id("eos_token")
    lesson = text_classification.lesson(
        dataset,
        tokenizer,
        longest=how.longest,
        batch_size=how.batch_size,
        held_out=how.held_out,
        seed=how.seed,
        scratch=scratch,
        events=events,
    )
    return model, lesson


def _pictures(
    checkpoint: Checkpoint, dataset: Dataset, how: Teaching, *, scratch: Path, events: Events
) -> tuple[PreTrainedModel, Lesson]:
    require("images")
    from aictl.training.tasks import image_classification
    from aictl.training.tasks.pictures import compares_rows, patches_of

    dataset.require_format("image", cure="make one with `aictl data prep FOLDER --format image`")
    if how.pictures.resolution:
        raise BadRequest("--resolution is for a fresh network: a checkpoint has its own", cure="leave it out")
    classes = pretrained.classes_in_config(Labels(dataset).names)
    processor = pretrained.load_processor(checkpoint)
    model = pretrained.load(AutoModelForImageClassification, checkpoint, events, how.seed, classes)
    lesson = image_classification.lesson(
        dataset,
        processor,
        pictures=how.pictures,
        patches=patches_of(model),
        whole=compares_rows(model),
        batch_size=how.batch_size,
        held_out=how.held_out,
        seed=how.seed,
        scratch=scratch,
        events=events,
    )
    return model, lesson
