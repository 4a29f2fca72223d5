"""Pictures and texts in one space: documents with a caption, and an encoder for each of the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput
from aictl.core.events import Events
from aictl.tokenizing.folder import TokenizerFolder
from aictl.training.batches import FieldBatch
from aictl.training.head import bare
from aictl.training.precision import Compute
from aictl.training.spec import PictureSpec
from aictl.training.tasks.augmentation import Augmentation
from aictl.training.tasks.contrast import contrastive_loss, grouped, recall, same_groups
from aictl.training.tasks.lesson import Lesson
from aictl.training.tasks.picture_batches import HeldOutPictures, PictureBatches
from aictl.training.tasks.pictures import PictureBatch, PictureReader, Pictures
from aictl.training.tasks.prefetch import Prefetched
from aictl.training.tasks.texts import TextReader, padded

KINDS = ("clip", "chinese_clip", "altclip", "vision-text-dual-encoder")  # whose outputs are those of CLIP
MOST_SCALE = 100.0  # of cosines before the softmax (https://arxiv.org/abs/2103.00020, section 2.5)
FEWEST = 2  # documents: one alone has nothing to be told apart from


def lesson(
    dataset: Dataset,
    tokenizer: TokenizerFolder,
    processor: Any,
    *,
    pictures: PictureSpec,
    patches: int,
    longest: int,
    batch_size: int,
    held_out: int,
    seed: int,
    scratch: Path,
    events: Events,
) -> Lesson:
    """Pictures as ``processor`` prepares them with captions of at most ``longest`` tokens, ``batch_size`` at a time,
    each told apart from the others of its batch; at most ``held_out`` of the validation split are judged while it
    trains. Raises :class:`BadInput` for a document without a caption, :class:`Damaged` for a picture that cannot be
    read."""
    reader, cutter = TextReader(tokenizer, longest), PictureReader(processor)
    learnt, tested = (
        CaptionedPictures(dataset, split, reader, cutter, patches=patches, scratch=scratch, events=events)
        for split in ("train", "validation")
    )
    everything = HeldOutPictures(tested, batch_size, len(tested))
    return Lesson(
        batches=Prefetched(PictureBatches(learnt, batch_size, seed, Augmentation(pictures, seed), whole=True)),
        held_out=HeldOutPictures(tested, batch_size, held_out, fewest=FEWEST),
        examples=len(learnt),
        objective=caption_loss,
        judge=lambda model, batch: {"loss": caption_loss(model, batch)},
        examine=lambda model, compute: tested.examine(model, compute, everything),
        primary="recall_at_1",
        facts={"resolution": [cutter.height, cutter.width]},
    )


class Compared(NamedTuple):
    """Unit vectors of pictures and of their captions, of shape (rows, width), and what their cosines are multiplied by
    before the softmax: the model's own, which it learns."""

    images: torch.Tensor
    texts: torch.Tensor
    scale: torch.Tensor

    def logits(self) -> torch.Tensor:
        """float32 of shape (pictures, captions)."""
        return self.scale * (self.images.float() @ self.texts.float().T)


def compare(model: torch.nn.Module, batch: FieldBatch) -> Compared:
    """Both views of a batch as a dual encoder sees them."""
    made = model(**{name: value for name, value in batch.fields.items() if name != "groups"})
    return Compared(made.image_embeds, made.text_embeds, bare(model).logit_scale.float().exp().clamp(max=MOST_SCALE))


def contrast(found: Compared, batch: FieldBatch) -> torch.Tensor:
    """See :func:`contrastive_loss`; a caption that occurs twice in a batch is told apart from the others alone."""
    groups: Any = batch.fields["groups"]
    return contrastive_loss(*found, same_groups(groups, groups))


def caption_loss(model: torch.nn.Module, batch: FieldBatch) -> torch.Tensor:
    """See :func:`contrast`."""
    return contrast(compare(model, batch), batch)


class CaptionedPictures:
    """The pictures of one split and their captions."""

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        reader: TextReader,
        cutter: PictureReader,
        *,
        patches: int,
        scratch: Path,
        events: Events,
    ) -> None:
        captions = list(_captions(dataset, split))
        if len(captions) < FEWEST:
            raise BadInput(
                f"dataset '{dataset.label}' has {len(captions)} pictures in its {split} split, and {FEWEST} are needed",
                cure="add more, or prepare the data with another share for validation",
            )
        self._groups = grouped(captions)
        task = f"encode {split} captions"
        self._texts = reader.read(scratch / f"{split}.texts", captions, task, len(captions), events=events)
        self._pad, self._patches = reader.pad_id, patches
        self._pictures = Pictures(dataset, split, cutter, scratch, events)

    def __len__(self) -> int:
        return len(self._groups)

    def pixels(self, rows: Sequence[int]) -> np.ndarray:
        return self._pictures.stack(rows)

    def batch(self, rows: Sequence[int], pixels: np.ndarray, moved: np.ndarray | None, *, whole: bool) -> PictureBatch:
        made = self._pictures.batch_fields(pixels)
        ids, mask = padded([self._texts[row] for row in rows], self._pad)
        fields = {
            "input_ids": ids,
            "attention_mask": mask,
            "pixel_values": made.pop("pixels"),
            "groups": torch.from_numpy(self._groups[list(rows)]),
        }
        counts = torch.ones(len(rows), dtype=torch.int64)
        # Every row is told apart from all others, whether it is learnt or judged.
        return PictureBatch(fields, counts, self._patches + ids.shape[1], True, **made)

    def name(self, row: int) -> str:
        return str(row + 1)

    def examine(self, model: torch.nn.Module, compute: Compute, batches: Sequence[PictureBatch]) -> Mapping[str, Any]:
        """How often a picture's caption is the nearest of all that are held out, and among the ten nearest."""
        training = model.training
        model.eval()
        images, texts = [], []
        for batch in batches:
            moved = batch.to(compute.device)
            with torch.no_grad(), compute.autocast():
                made = model(**{name: value for name, value in moved.fields.items() if name != "groups"})
            images.append(made.image_embeds.float().cpu().numpy())
            texts.append(made.text_embeds.float().cpu().numpy())
        model.train(training)
        left, right = np.concatenate(images), np.concatenate(texts)
        return {
            "documents": len(left),
            "candidates": len(np.unique(self._groups)),
            "recall_at_1": recall(left, right, self._groups, 1),
            "recall_at_10": recall(left, right, self._groups, 10),
        }


def _captions(dataset: Dataset, split: str) -> Any:
    for number, document in enumerate(dataset.documents(split), 1):
        caption = document.get("caption")
        if not isinstance(caption, str) or not caption.strip():
            raise BadInput(
                f"document {number} of the {split} split of dataset '{dataset.label}' has no caption",
                cure="prepare the pictures anew with captions: `aictl data prep --help` says how",
            )
        yield caption
