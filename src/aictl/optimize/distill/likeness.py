"""What a student is taught by whose vectors are compared: what belongs together, and how alike the teacher finds what
does not."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel

from aictl.artifacts.pooling import Pooling
from aictl.optimize.distill.losses import Mixture, soft_loss
from aictl.training.batches import FieldBatch
from aictl.training.tasks import embedding


class TextDistillation:
    """The loss of an embedding model beside its teacher, an objective of the training loop: summed over a batch's
    pairs. Each makes one vector of a text's in its own way."""

    def __init__(self, teacher: PreTrainedModel, mixture: Mixture, mine: Pooling, theirs: Pooling) -> None:
        self._teacher = teacher.eval().requires_grad_(False)
        self._mixture, self._mine, self._theirs = mixture, mine, theirs

    def __call__(self, student: torch.nn.Module, batch: FieldBatch) -> torch.Tensor:
        left, right = embedding.both_sides(student, batch, self._mine)
        with torch.no_grad():
            wanted = torch.cat(embedding.both_sides(self._teacher, batch, self._theirs))
        share = self._mixture.teacher
        taught = likeness_loss(torch.cat([left, right]), wanted, self._mixture.temperature) / 2  # of two texts a pair
        return share * taught + (1 - share) * embedding.contrast(left, right, batch)


class CaptionDistillation:
    """The loss of a dual encoder beside its teacher, an objective of the training loop: summed over a batch's pictures.

    What each says of every picture and every caption, by its own scale, is compared both ways, as the contrastive
    relational distillation of https://arxiv.org/abs/2307.12732 (section 3.3) does it."""

    def __init__(self, teacher: PreTrainedModel, mixture: Mixture) -> None:
        self._teacher = teacher.eval().requires_grad_(False)
        self._mixture = mixture

    def __call__(self, student: torch.nn.Module, batch: Any) -> torch.Tensor:
        from aictl.training.tasks import image_text

        found = image_text.compare(student, batch)
        with torch.no_grad():
            wanted = image_text.compare(self._teacher, batch).logits()
        mine, (_, share, _) = found.logits(), self._mixture
        taught = sum(soft_loss(*both, self._mixture.temperature) for both in ((mine, wanted), (mine.T, wanted.T))) / 2
        return share * taught + (1 - share) * image_text.contrast(found, batch)


def likeness_loss(mine: torch.Tensor, theirs: torch.Tensor, temperature: float) -> torch.Tensor:
    """See :func:`soft_loss`; of which others of its batch each text is like: the softmax of the scaled cosines between
    it and each of them. Both are unit vectors, of shape (texts, width) with any two widths
    (https://arxiv.org/abs/2101.04731, section 3, with the batch in place of a queue)."""
    own = torch.eye(len(mine), dtype=torch.bool, device=mine.device)
    likeness, wanted = (
        (embedding.SCALE * one @ one.T)[~own].view(len(one), len(one) - 1) for one in (mine.float(), theirs.float())
    )
    return soft_loss(likeness, wanted, temperature)
