"""A checkpoint whose vectors are compared, of texts or of pictures beside texts, made ready to learn more."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoModel, PreTrainedModel

from aictl.artifacts.capability import Capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.dataset import Dataset
from aictl.artifacts.pooling import Pooling
from aictl.core.errors import BadRequest
from aictl.core.events import Events
from aictl.core.extras import require
from aictl.inference.embedding import max_tokens, pooling_of, prefix_of
from aictl.tokenizing.folder import TokenizerFolder
from aictl.training.tasks import embedding, pretrained
from aictl.training.tasks.classifiers import Teaching
from aictl.training.tasks.lesson import Lesson

ENCODERS: tuple[Capability, ...] = ("embedding", "image-text")


def pooling(checkpoint: Checkpoint) -> Pooling:
    """How an embedding model makes one vector of a text's. Raises :class:`BadInput` for a way that is not known."""
    return pooling_of(checkpoint.folder) or "mean"


def require_encoder(checkpoint: Checkpoint, dataset: Dataset) -> None:
    """Raise :class:`WrongKind` for a dataset that holds no pairs of its sort, and :class:`BadRequest` for a network
    that is not taught here."""
    kind = str(checkpoint.config.get("model_type"))
    if checkpoint.capability == "embedding":
        dataset.require_format("pair", cure="make one with `aictl data prep FILES --format pair`")
        if checkpoint.config.get("is_encoder_decoder") or kind == "t5":
            raise BadRequest(f"'{checkpoint.label}' is half of a {kind}, which is not taught here")
        return
    require("images")
    from aictl.training.tasks.image_text import KINDS

    dataset.require_format("image", cure="make one with `aictl data prep FOLDER --format image`")
    if kind not in KINDS:
        raise BadRequest(
            f"'{checkpoint.label}' is a {kind}, and what is taught here is {', '.join(KINDS)}",
            cure="give a dual encoder of such a kind",
        )


def open_encoder(
    checkpoint: Checkpoint, dataset: Dataset, how: Teaching, *, scratch: Path, events: Events
) -> tuple[PreTrainedModel, Lesson]:
    """The checkpoint's network and the lesson: what belongs together is told apart from the rest of a batch.

    Raises :class:`BadRequest` and :class:`BadInput` for options and documents that do not fit.
    """
    if checkpoint.capability == "embedding":
        return _texts(checkpoint, dataset, how, scratch=scratch, events=events)
    return _captions(checkpoint, dataset, how, scratch=scratch, events=events)


def _texts(
    checkpoint: Checkpoint, dataset: Dataset, how: Teaching, *, scratch: Path, events: Events
) -> tuple[PreTrainedModel, Lesson]:
    tokenizer = TokenizerFolder(checkpoint.folder)
    model = pretrained.load(AutoModel, checkpoint, events, how.seed)
    pretrained.require_room(model, tokenizer)
    pooler = getattr(model, "pooler", None)
    if pooler is not None:  # of the vectors it is no part
        pooler.requires_grad_(False)
    lesson = embedding.lesson(
        dataset,
        tokenizer,
        longest=min(how.longest, max_tokens(checkpoint.folder)),
        batch_size=how.batch_size,
        held_out=how.held_out,
        seed=how.seed,
        scratch=scratch,
        events=events,
        pooling=pooling(checkpoint),
        prefix=prefix_of(checkpoint.folder),
    )
    return model, lesson


def _captions(
    checkpoint: Checkpoint, dataset: Dataset, how: Teaching, *, scratch: Path, events: Events
) -> tuple[PreTrainedModel, Lesson]:
    require("images")
    from aictl.training.tasks import image_text

    if how.pictures.resolution:
        raise BadRequest("--resolution is for a fresh network: a checkpoint has its own", cure="leave it out")
    tokenizer, processor = TokenizerFolder(checkpoint.folder), pretrained.load_processor(checkpoint)
    model = pretrained.load(AutoModel, checkpoint, events, how.seed)
    pretrained.require_room(model.text_model, tokenizer)
    vision = model.config.vision_config
    lesson = image_text.lesson(
        dataset,
        tokenizer,
        processor,
        pictures=how.pictures,
        patches=(vision.image_size // vision.patch_size) ** 2,
        longest=how.longest,
        batch_size=how.batch_size,
        held_out=how.held_out,
        seed=how.seed,
        scratch=scratch,
        events=events,
    )
    return model, lesson
