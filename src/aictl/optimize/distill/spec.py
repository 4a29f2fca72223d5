"""The options of ``optimize distill``."""

from __future__ import annotations

from typing import Literal

from aictl.core.errors import BadRequest
from aictl.core.spec import Spec, option
from aictl.optimize.spec import GateSpec
from aictl.optimize.teaching import TeachingSpec
from aictl.training.presets import PRESETS, PresetName
from aictl.training.spec import LoopSpec, OptimizerSpec, PictureSpec, PrecisionSpec

Method = Literal["logits", "hidden", "sequence"]

CONTINUED_RATE, FRESH_RATE = 3e-4, 1e-3


class DistilledGateSpec(GateSpec):
    """As for pruning, but a loss is told and not refused unless that is asked for: a student is smaller by choice."""

    max_quality_loss: float | None = option(
        None,
        ge=0,
        help="fail where more quality is lost than this: of a language model the relative rise of held-out perplexity "
        "over the teacher's, of any other the fall of its accuracy or recall@1; 0.05 is 5%, or 5 points",
    )

    def accepted(self, usual: float) -> float | None:
        return self.max_quality_loss


class StudentSpec(Spec):
    """The student, where --student gives none: layers of the teacher, or a fresh network."""

    preset: PresetName | None = option(
        None,
        help="the student is a fresh language model of the shape that `train --preset` gives, with the teacher's "
        "tokenizer",
    )
    layers: int | None = option(
        None, ge=1, help="the student begins as so many of the teacher's layers, evenly spread; fresh, it has so many"
    )
    width_fraction: float | None = option(
        None,
        gt=0,
        lt=1,
        help="the student is a fresh network of the teacher's kind, this share as wide, and with as many heads less",
    )


class StudentOptimizerSpec(OptimizerSpec):
    """As for pruning, but weights that are drawn anew take larger steps."""

    learning_rate: float | None = option(
        None, gt=0, lt=1, help="peak learning rate (default: 3e-4, 1e-3 for a fresh network, or the preset's)"
    )
    weight_decay: float = option(0.0, ge=0, help="decoupled weight decay of matrices; vectors have none")
    beta2: float = option(0.999, ge=0, lt=1, help="decay of AdamW's running mean of the squared gradient")


class DistillSpec(Spec):
    """What the student learns from the teacher, and for how long."""

    method: Method = option(
        "logits",
        help="logits: what the teacher thinks of each answer, or finds alike; hidden: its hidden states too (language "
        "models, classifiers); sequence: answers that the teacher writes (language models with conversations)",
    )
    shrink: StudentSpec = StudentSpec()
    max_steps: int = option(500, ge=1, help="optimiser steps")
    temperature: float = option(
        2.0, gt=0, le=100, help="what both models' logits are divided by, so that unlikely answers are heard too"
    )
    teacher_weight: float = option(
        0.9, ge=0, le=1, help="share of the teacher in the loss; the rest is that of the labels or the text itself"
    )
    hidden_weight: float = option(1.0, gt=0, help="hidden: weight of the hidden states beside the rest of the loss")
    answer_tokens: int = option(128, ge=1, help="sequence: most tokens of an answer that the teacher writes")
    baseline: bool = option(
        False, help="train the same student without the teacher too, and say what that comes to; takes about as long"
    )
    gate: DistilledGateSpec = DistilledGateSpec()
    teaching: TeachingSpec = TeachingSpec()
    pictures: PictureSpec = PictureSpec()
    optimizer: StudentOptimizerSpec = StudentOptimizerSpec()
    precision: PrecisionSpec = PrecisionSpec()
    loop: LoopSpec = LoopSpec()

    @property
    def peak_rate(self) -> float:
        """The learning rate that was asked for, or that suits."""
        if self.shrink.preset:
            return self.optimizer.learning_rate or PRESETS[self.shrink.preset].learning_rate
        usual = FRESH_RATE if self.shrink.width_fraction else CONTINUED_RATE
        return self.optimizer.learning_rate or usual


def refuse_unread(spec: DistillSpec) -> None:
    """Raise :class:`BadRequest` for an option that was set and that the method does not read."""
    unread = {
        "temperature": spec.method == "sequence",
        "teacher_weight": spec.method == "sequence",
        "hidden_weight": spec.method != "hidden",
        "answer_tokens": spec.method != "sequence",
    }
    for name, ignored in unread.items():
        if ignored and getattr(spec, name) != type(spec).model_fields[name].get_default():
            raise BadRequest(
                f"--{name.replace('_', '-')} has no meaning for --method {spec.method}", cure="leave it out"
            )
