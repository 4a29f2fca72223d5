"""The options of ``finetune lora``."""

from __future__ import annotations

from aictl.core.spec import Spec, option
from aictl.training.spec import ClusterSpec, LoopSpec, OptimizerSpec, ParallelSpec, PrecisionSpec


class LoraOptimizerSpec(OptimizerSpec):
    """The optimiser's settings as they suit low-rank matrices, which start from zero."""

    learning_rate: float = option(1e-3, gt=0, lt=1, help="peak learning rate")
    weight_decay: float = option(0.0, ge=0, help="decoupled weight decay of the low-rank matrices")
    beta2: float = option(0.999, ge=0, lt=1, help="decay of AdamW's running mean of the squared gradient")


class LoraSpec(Spec):
    """What to adapt, how strongly, and for how long."""

    rank: int = option(16, ge=1, le=1024, help="rank of the low-rank matrices")
    alpha: float = option(32, gt=0, help="strength: the matrices' product is scaled by alpha / rank")
    dropout: float = option(0.0, ge=0, lt=1, help="share of the low-rank matrices' inputs that is dropped in training")
    target_modules: list[str] = option(
        ["all-linear"], min_length=1, help="layers to adapt, by the end of their name; all-linear is all but the head"
    )
    max_steps: int = option(50, ge=1, help="optimiser steps")
    batch_size: int = option(16, ge=1, help="conversations in a batch")
    sequence_length: int | None = option(
        None, ge=8, help="longer conversations are cut to so many tokens (default: 1024, or the model's context)"
    )
    held_out_conversations: int = option(
        64, ge=1, help="at most so many conversations of the validation split are evaluated"
    )
    optimizer: LoraOptimizerSpec = LoraOptimizerSpec()
    precision: PrecisionSpec = PrecisionSpec()
    loop: LoopSpec = LoopSpec()
    parallel: ParallelSpec = ParallelSpec()
    cluster: ClusterSpec = ClusterSpec()
