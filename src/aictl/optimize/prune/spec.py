"""The options of ``optimize prune``."""

from __future__ import annotations

from typing import Literal

from aictl.core.errors import BadRequest
from aictl.core.spec import Spec, option
from aictl.optimize.spec import GateSpec
from aictl.optimize.teaching import TeachingSpec
from aictl.training.spec import LoopSpec, OptimizerSpec, PictureSpec, PrecisionSpec

Method = Literal["magnitude", "wanda", "structured"]

_ROUNDED = 1e-3  # a share that people write, such as 0.667, for what is two thirds


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
    gate: GateSpec = GateSpec()
    teaching: TeachingSpec = TeachingSpec()
    pictures: PictureSpec = PictureSpec()
    optimizer: RecoveryOptimizerSpec = RecoveryOptimizerSpec()
    precision: PrecisionSpec = PrecisionSpec()
    loop: LoopSpec = LoopSpec()

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


def refuse_contradictions(spec: PruneSpec) -> None:
    """Raise :class:`BadRequest` for options that say different things, or that the method has no use for."""
    named = ", ".join(f"--{name}" for name in CutSpec.model_fields if getattr(spec.cut, name) is not None)
    if named and spec.method != "structured":
        raise BadRequest(f"{named}: only --method structured leaves out what that counts", cure="--method structured")
    if named and spec.sparsity is not None:
        raise BadRequest(f"--sparsity and {named} both say how much is left out", cure="leave one out")
    if spec.pattern is None:
        return
    if spec.method == "structured":
        raise BadRequest(
            "--pattern is about single weights, which --method structured does not leave out",
            cure="--method wanda, or leave --pattern out",
        )
    kept, of = spec.kept_of
    if kept >= of:
        raise BadRequest(f"--pattern {spec.pattern}: of {of} weights less than {of} have to stay", cure="--pattern 2:4")
    if spec.sparsity is not None and abs(spec.sparsity - (1 - kept / of)) > _ROUNDED:
        raise BadRequest(
            f"--pattern {spec.pattern} leaves out {1 - kept / of:.3g}, and --sparsity says {spec.sparsity:g}",
            cure="leave one out",
        )
