"""The options of ``train``."""

from __future__ import annotations

from aictl.core.spec import Spec, option
from aictl.train.presets import PresetName
from aictl.training.spec import ClusterSpec, LoopSpec, OptimizerSpec, ParallelSpec, PrecisionSpec


class TrainSpec(Spec):
    """What to train and for how long; what is left out comes from the preset."""

    preset: PresetName = option("tiny", help="size of the model, and the settings that suit it")
    max_steps: int | None = option(None, ge=1, help="optimiser steps (tiny: 250)")
    batch_size: int | None = option(None, ge=1, help="sequences in a batch (tiny: 8)")
    sequence_length: int | None = option(
        None, ge=8, help="tokens in a training sequence, and then the model's context (tiny: 256, at most 1024)"
    )
    vocab_size: int | None = option(None, ge=260, le=2**20, help="tokens in the tokenizer's vocabulary (tiny: 4096)")
    held_out_tokens: int = option(16_384, ge=1, help="at most so many tokens of the validation split are evaluated")
    optimizer: OptimizerSpec = OptimizerSpec()
    precision: PrecisionSpec = PrecisionSpec()
    loop: LoopSpec = LoopSpec()
    parallel: ParallelSpec = ParallelSpec()
    cluster: ClusterSpec = ClusterSpec()
