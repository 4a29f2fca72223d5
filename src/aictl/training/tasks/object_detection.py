"""Finding things in pictures: documents with boxes, and a network that puts out a set of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput
from aictl.core.events import Events
from aictl.measure.average_precision import Found, mean_average_precision
from aictl.training.objective import own_loss
from aictl.training.precision import Compute
from aictl.training.spec import PictureSpec
from aictl.training.tasks.augmentation import Augmentation
from aictl.training.tasks.lesson import Lesson
from aictl.training.tasks.picture_batches import HeldOutPictures, PictureBatches
from aictl.training.tasks.pictures import PictureBatch, PictureReader, Pictures
from aictl.training.tasks.prefetch import Prefetched

LEAST_SHOWN = 0.25  # of a box that a shift leaves in the picture; of less there is too little to see
OVERLAPS = (0.5, 0.75)  # intersection over union from which a box counts as found


def lesson(
    dataset: Dataset,
    processor: Any,
    *,
    pictures: PictureSpec,
    patches: int,
    whole: bool,
    batch_size: int,
    held_out: int,
    seed: int,
    scratch: Path,
    events: Events,
) -> Lesson:
    """Pictures as ``processor`` prepares them, ``batch_size`` at a time; at most ``held_out`` of the validation split
    are judged while it trains. ``patches`` are the positions that one is to the network; ``whole`` says that a batch
    must not be parted. Raises :class:`BadInput` for boxes that cannot be learnt, :class:`Damaged` for a picture that
    cannot be read."""
    reader = PictureReader(processor)
    learnt, tested = (
        BoxedPictures(dataset, split, reader, patches=patches, scratch=scratch, events=events)
        for split in ("train", "validation")
    )
    everything = HeldOutPictures(tested, batch_size, len(tested))
    return Lesson(
        batches=Prefetched(PictureBatches(learnt, batch_size, seed, Augmentation(pictures, seed), whole=whole)),
        held_out=HeldOutPictures(tested, batch_size, held_out),
        examples=len(learnt),
        objective=own_loss,
        judge=lambda model, batch: {"loss": own_loss(model, batch)},
        examine=lambda model, compute: examine(model, compute, everything, len(dataset.classes)),
        primary="map_50",
        facts={"classes": len(dataset.classes), "resolution": [reader.height, reader.width], "boxes": learnt.boxes},
    )


class BoxedPictures:
    """The pictures of one split, and what is where in them: for each a class and a box as centre, width and height,
    in shares of the picture's."""

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        reader: PictureReader,
        *,
        patches: int,
        scratch: Path,
        events: Events,
    ) -> None:
        """Raises :class:`BadInput` for a box that is none, or of a class that the dataset does not name, and for a
        split without any."""
        numbers = {name: number for number, name in enumerate(dataset.classes)}
        self._labels: list[np.ndarray] = []
        self._corners: list[np.ndarray] = []
        for row, document in enumerate(dataset.documents(split), 1):
            labels, corners = _read(document, numbers, f"document {row} of the {split} split of '{dataset.label}'")
            self._labels.append(labels)
            self._corners.append(corners)
        self.boxes = sum(map(len, self._labels))
        if not self.boxes:
            raise BadInput(
                f"dataset '{dataset.label}' has no box in its {split} split",
                cure="prepare pictures with boxes, or another share for validation",
            )
        self._patches = patches
        self._pictures = Pictures(dataset, split, reader, scratch, events)

    def __len__(self) -> int:
        return len(self._labels)

    def pixels(self, rows: Sequence[int]) -> np.ndarray:
        return self._pictures.stack(rows)

    def batch(self, rows: Sequence[int], pixels: np.ndarray, moved: np.ndarray | None, *, whole: bool) -> PictureBatch:
        made = self._pictures.batch_fields(pixels)
        labels = [self._seen(row, None if moved is None else moved[place]) for place, row in enumerate(rows)]
        fields = {"pixel_values": made.pop("pixels"), "labels": labels}
        # The loss is a mean over boxes; a picture without any still says where nothing is.
        counts = torch.tensor([max(1, len(one["class_labels"])) for one in labels])
        return PictureBatch(fields, counts, self._patches, whole, **made)

    def name(self, row: int) -> str:
        return str(row + 1)

    def _seen(self, row: int, moved: np.ndarray | None) -> dict[str, torch.Tensor]:
        labels, corners = self._labels[row], self._corners[row]
        if moved is not None and len(corners):
            shown = corners * np.tile(moved[:2], 2) + np.tile(moved[2:], 2)
            shown = np.concatenate([np.minimum(shown[:, :2], shown[:, 2:]), np.maximum(shown[:, :2], shown[:, 2:])], 1)
            cut = shown.clip(0, 1)
            stays = _areas(cut) >= LEAST_SHOWN * _areas(shown)
            labels, corners = labels[stays], cut[stays]
        centres = (corners[:, :2] + corners[:, 2:]) / 2
        boxes = np.concatenate([centres, corners[:, 2:] - corners[:, :2]], axis=1).astype(np.float32)
        return {"class_labels": torch.from_numpy(labels), "boxes": torch.from_numpy(boxes)}


def examine(
    model: torch.nn.Module, compute: Compute, batches: Sequence[PictureBatch], classes: int
) -> Mapping[str, Any]:
    """Mean average precision at two overlaps, and how many of the true boxes are found at the lower at all."""
    training = model.training
    model.eval()
    answers, truths = [], []
    for batch in batches:
        moved = batch.to(compute.device)
        with torch.no_grad(), compute.autocast():
            made = model(pixel_values=moved.fields["pixel_values"])
        # The last class of a detector that puts out a set is "nothing" (https://arxiv.org/abs/2005.12872).
        scores, kinds = made.logits.float().softmax(dim=-1)[..., :-1].max(dim=-1)
        answers += [
            Found(*(one.cpu().numpy() for one in row))
            for row in zip(kinds, _corners_of(made.pred_boxes.float()), scores, strict=True)
        ]
        for one in batch.fields["labels"]:
            truths.append(Found(one["class_labels"].numpy(), _corners_of(one["boxes"]).numpy(), None))
    model.train(training)
    precision = {overlap: mean_average_precision(answers, truths, classes, overlap) for overlap in OVERLAPS}
    return {
        "documents": len(truths),
        "boxes": sum(len(one.labels) for one in truths),
        **{f"map_{round(100 * overlap)}": value for overlap, (value, _) in precision.items()},
        f"recall_{round(100 * OVERLAPS[0])}": precision[OVERLAPS[0]][1],
    }


def _corners_of(boxes: torch.Tensor) -> torch.Tensor:
    """Left, top, right and bottom of boxes that are given as centre, width and height."""
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)


def _areas(corners: np.ndarray) -> np.ndarray:
    return (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])


def _read(document: Mapping[str, Any], numbers: Mapping[str, int], called: str) -> tuple[np.ndarray, np.ndarray]:
    """The classes, int64, and the corners, in shares of the picture, of a document's boxes."""
    labels, corners = [], []
    try:
        size = np.array([document["width"], document["height"]] * 2, dtype=np.float64)
        for one in document.get("boxes") or ():
            box = np.array(one["box"], dtype=np.float64) / size
            if box.shape != (4,) or not (np.isfinite(box).all() and (box[2:] > box[:2]).all()):
                raise ValueError(f"the box {one['box']} is not left, top, right and bottom")
            if box.min() < -1e-6 or box.max() > 1 + 1e-6:
                raise ValueError(f"the box {one['box']} reaches over the picture of {size[0]:.0f} by {size[1]:.0f}")
            if one["label"] not in numbers:
                raise ValueError(f"the label {one['label']!r} is none of the dataset's {len(numbers)} classes")
            labels.append(numbers[one["label"]])
            corners.append(box)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{called}: {error}", cure="prepare the pictures anew with boxes that fit them") from error
    return np.array(labels, dtype=np.int64), np.array(corners, dtype=np.float64).reshape(-1, 4)
