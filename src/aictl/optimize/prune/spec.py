"""The options of ``optimize prune``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from aictl.core.spec import Spec, option
from aictl.optimize.shrunken import QualitySpec, TeachingSpec
from aictl.training.spec import LoopSpec, OptimizerSpec, PictureSpec, PrecisionSpec

Method = Literal["magnitude", "wanda", "structured"]


class CutSpec(Spec):
    """What a structured cut leaves. The numbers are for every layer alike, since a configuration has one for all."""

    layers: int | None = option(None, ge=1, help="structured: layers that stay")
    heads: int | None = option(
        None,
        ge=1,
        help="structured: attention heads that stay in each layer; those that share keys go together",
    )
    neurons: int | None = option(None, ge=1, help="structured: feed-forward neurons that stay in each layer")


class RecoveryOptimizerSpec(OptimizerSpec):
    """The optimiser's settings as they suit weights that are good but for what was taken from them."""

    learning_rate: float = option(3e-4, gt=0, lt=1, help="peak learning rate")
    weight_decay: float = option(0.0, ge=0, help="decoupled weight decay of matrices; vectors have none")
    beta2: float = option(0.999, ge=0, lt=1, help="decay of AdamW's running mean of the squared gradient")


class PruneSpec(Spec):
    """What is left out, by which measure, and how the rest recovers."""

    method: Method = option(
        "wanda",
        help="magnitude: the smallest weights; wanda: those that do least with what they are given; structured: whole "
        "heads, neurons and layers, so that the model really is smaller",
    )
    sparsity: float | None = option(
        None,
        gt=0,
        lt=1,
        help="share that is left out: of the weights of each matrix; structured, of each layer's neurons and, where "
        "its configuration can say so, heads (default: 0.5)",
    )
    pattern: str | None = option(
        None,
        pattern=r"^[1-9][0-9]?:[1-9][0-9]?$",
        help="how many of how many weights in a row stay, as 2:4, which NVIDIA's GPUs from Ampere on multiply faster",
    )
    cut: CutSpec = CutSpec()
    calibration_examples: int = option(
        128, ge=1, help="examples of the train split by which it is found out what does little"
    )
    recover_steps: int = option(
        0, ge=0, help="optimiser steps in which what is left learns to make up for it; weights left out stay zero"
    )
    quality: QualitySpec = QualitySpec()
    teaching: TeachingSpec = TeachingSpec()
    pictures: PictureSpec = PictureSpec()
    optimizer: RecoveryOptimizerSpec = RecoveryOptimizerSpec()
    precision: PrecisionSpec = PrecisionSpec()
    loop: LoopSpec = LoopSpec()

    @model_validator(mode="after")
    def _together(self) -> Self:
        named = [f"--{name}" for name in CutSpec.model_fields if getattr(self.cut, name) is not None]
        if named and self.method != "structured":
            raise ValueError(f"{', '.join(named)}: only --method structured leaves out what that counts")
        if named and self.sparsity is not None:
            raise ValueError(f"--sparsity and {', '.join(named)} both say how much is left out")
        if self.pattern is None:
            return self
        kept, of = self.kept_of
        if self.method == "structured":
            raise ValueError("--pattern is about single weights, which --method structured does not leave out")
        if kept >= of:
            raise ValueError(f"--pattern {self.pattern}: less than {of} of {of} weights have to stay")
        if self.sparsity is not None and abs(self.sparsity - (1 - kept / of)) > 1e-6:
            raise ValueError(f"--pattern {self.pattern} leaves out {1 - kept / of:.3g}, and --sparsity is another")
        return self

    @property
    def kept_of(self) -> tuple[int, int]:
        """Of how many weights in a row how many stay."""
        assert self.pattern is not None
        kept, _, of = self.pattern.partition(":")
        return int(kept), int(of)

    @property
    def share(self) -> float:
        """The share that is left out."""
        return 0.5 if self.sparsity is None else self.sparsity
