"""What a student is taught by: the labels, what the teacher thinks of each answer, and how it comes to think so."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from transformers import PreTrainedModel

from aictl.core.errors import BadRequest
from aictl.optimize.distill.layers import spread
from aictl.training.batches import IGNORED, TokenBatch
from aictl.training.head import bare
from aictl.training.objective import target_logits

PROJECTIONS = "distillation_projections"


class Mixture(NamedTuple):
    """How much each part of the loss counts, and at which temperature logits are compared. ``hidden`` is 0 where hidden
    states are none of it."""

    temperature: float
    teacher: float
    hidden: float = 0.0


class Distillation:
    """The loss of a student beside its teacher, an objective of the training loop: summed over a batch's targets."""

    def __init__(self, teacher: PreTrainedModel, mixture: Mixture) -> None:
        self._teacher = teacher.eval().requires_grad_(False)
        self._mixture = mixture

    def __call__(self, student: torch.nn.Module, batch: Any) -> torch.Tensor:
        mixture = self._mixture
        asked = {"output_hidden_states": True} if mixture.hidden else {}
        logits, labels, found = _answers(student, batch, asked)
        with torch.no_grad():
            wanted, _, shown = _answers(self._teacher, batch, asked)
        loss = mixture.teacher * soft_loss(logits, wanted, mixture.temperature)
        loss = loss + (1 - mixture.teacher) * F.cross_entropy(logits, labels, reduction="sum")
        if mixture.hidden:
            projections = getattr(bare(student), PROJECTIONS)
            loss = loss + mixture.hidden * hidden_loss(found.hidden_states, shown.hidden_states, projections, batch)
        return loss


def soft_loss(logits: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """The sum over rows of KL(teacher, student), in nats, with both logits, of shape (rows, answers), divided by the
    temperature; times its square, so that gradients stay of a size (https://arxiv.org/abs/1503.02531, section 2)."""
    return temperature**2 * F.kl_div(
        F.log_softmax(logits / temperature, dim=-1),
        F.log_softmax(teacher / temperature, dim=-1),
        reduction="sum",
        log_target=True,
    )


def hidden_loss(student: Any, teacher: Any, projections: torch.nn.ModuleList, batch: Any) -> torch.Tensor:
    """The squared difference of normalised hidden states, the mean over a position's width and over the student's
    layers, summed over a batch's targets; each layer of the student is held to one of the teacher, evenly spread."""
    pairs = spread(len(teacher), len(student))
    real, per_row = _seen(batch)
    total = torch.zeros((), device=student[0].device)
    for number, place in enumerate(pairs):
        mine, theirs = projections[number](student[number]).float(), teacher[place].float()
        apart = (_normal(mine) - _normal(theirs)).square().mean(dim=-1)
        if per_row:  # a row has one target, however many positions
            weights = real if real is not None else torch.ones_like(apart)
            total = total + ((apart * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)).sum()
        else:
            total = total + apart[real].sum()
    return total / len(pairs)


def add_projections(student: PreTrainedModel, teacher: PreTrainedModel, batch: Any) -> None:
    """Give the student what turns its hidden states into ones as wide as the teacher's: a matrix where widths differ.
    It is trained with the student, and is no part of what is kept. Raises :class:`BadRequest` for networks whose hidden
    states are not rows of positions, which cannot be held side by side."""
    with torch.no_grad():
        mine, theirs = (
            _answers(one.eval(), batch, {"output_hidden_states": True})[2].hidden_states for one in (student, teacher)
        )
    if (
        not mine
        or not theirs
        or mine[0].dim() != 3
        or mine[0].shape[:2] != theirs[0].shape[:2]
        or len(mine) > len(theirs)
    ):
        raise BadRequest(
            f"the hidden states of a {student.config.model_type} and of its teacher, a {teacher.config.model_type}, "
            "cannot be held side by side",
            cure="--method logits",
        )
    wide, narrow = theirs[0].shape[-1], mine[0].shape[-1]
    made = [torch.nn.Identity() if wide == narrow else torch.nn.Linear(narrow, wide) for _ in mine]
    student.add_module(PROJECTIONS, torch.nn.ModuleList(made).to(mine[0].device))


def remove_projections(student: PreTrainedModel) -> None:
    if hasattr(student, PROJECTIONS):
        delattr(student, PROJECTIONS)


def _answers(model: torch.nn.Module, batch: Any, asked: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor, Any]:
    """Logits, float32 of shape (targets, answers), the right answers, and all that the model gave."""
    if isinstance(batch, TokenBatch):
        logits, found = target_logits(model, batch, **asked)
        return logits, batch.targets[batch.targets != IGNORED], found
    given = {name: value for name, value in batch.fields.items() if name != "labels"}
    found = model(**given, **asked)
    return found.logits.float(), batch.fields["labels"], found


def _seen(batch: Any) -> tuple[torch.Tensor | None, bool]:
    """Which positions count, and whether a row's are averaged, since a row is one target."""
    if isinstance(batch, TokenBatch):
        return batch.targets != IGNORED, False
    mask = batch.fields.get("attention_mask")
    return (None if mask is None else mask.float()), True


def _normal(states: torch.Tensor) -> torch.Tensor:
    """States of unit variance: some layers' have a few numbers that are hundreds of times as large as the rest, and
    would be all that is learnt."""
    return F.layer_norm(states, states.shape[-1:])
