"""The options of the commands below ``finetune``; groups that several share are declared once."""

from __future__ import annotations

from typing import Literal

from aictl.core.spec import Spec, option
from aictl.training.spec import ClusterSpec, LoopSpec, OptimizerSpec, ParallelSpec, PictureSpec, PrecisionSpec

InitWeights = Literal["default", "gaussian", "orthogonal", "pissa", "olora"]
Bias = Literal["none", "all", "lora_only"]
BaseFormat = Literal["nf4", "fp4", "int8"]
SaveDtype = Literal["base", "fp32", "bf16", "fp16"]
Loss = Literal["sigmoid", "ipo", "hinge"]


class LowRankSpec(Spec):
    """What is adapted by low-rank matrices, and how strongly."""

    rank: int = option(16, ge=1, le=1024, help="rank of the low-rank matrices")
    alpha: float = option(32, gt=0, help="strength: the matrices' product is scaled by alpha / rank")
    dropout: float = option(0.0, ge=0, lt=1, help="share of the low-rank matrices' inputs that is dropped in training")
    target_modules: list[str] = option(
        ["all-linear"], min_length=1, help="layers to adapt, by the end of their name; all-linear is all but the head"
    )
    rs_lora: bool = option(False, help="scale by alpha / sqrt(rank), which keeps large ranks stable (rsLoRA)")
    dora: bool = option(False, help="learn the size of each weight column apart from its direction (DoRA); slower")
    init_weights: InitWeights = option(
        "default",
        help="where the matrices start: default and gaussian change nothing at first; pissa and olora start from the "
        "largest parts of the weights, and the adapter that is kept then has twice the rank",
    )
    bias: Bias = option("none", help="biases that are trained too: none, all, or those of the adapted layers")
    modules_to_save: list[str] = option([], help="modules that are trained and kept in full, by the end of their name")


class BatchSpec(Spec):
    """How many examples are taken together, how long they are, and how many are held out."""

    batch_size: int = option(16, ge=1, help="examples in a batch; with --pack, rows")
    sequence_length: int | None = option(
        None,
        ge=8,
        help="longer conversations are cut to so many tokens, longer documents into parts "
        "(default: 1024, or the model's context)",
    )
    held_out_examples: int = option(64, ge=1, help="at most so many examples of the validation split are evaluated")


class ExamplesSpec(BatchSpec):
    """How examples are put together too."""

    pack: bool = option(
        False, help="fill rows of --sequence-length with whole examples, which see nothing of one another"
    )


class SupervisedSpec(Spec):
    """What teaching by examples needs, whichever weights are changed."""

    max_steps: int = option(50, ge=1, help="optimiser steps")
    examples: ExamplesSpec = ExamplesSpec()
    pictures: PictureSpec = PictureSpec()
    precision: PrecisionSpec = PrecisionSpec()
    loop: LoopSpec = LoopSpec()
    parallel: ParallelSpec = ParallelSpec()
    cluster: ClusterSpec = ClusterSpec()


class LoraOptimizerSpec(OptimizerSpec):
    """The optimiser's settings as they suit low-rank matrices, which start from zero."""

    learning_rate: float = option(1e-3, gt=0, lt=1, help="peak learning rate")
    weight_decay: float = option(0.0, ge=0, help="decoupled weight decay of the low-rank matrices")
    beta2: float = option(0.999, ge=0, lt=1, help="decay of AdamW's running mean of the squared gradient")


class LoraSpec(SupervisedSpec):
    """``finetune lora``."""

    low_rank: LowRankSpec = LowRankSpec()
    optimizer: LoraOptimizerSpec = LoraOptimizerSpec()


class QloraSpec(LoraSpec):
    """``finetune qlora``."""

    base_format: BaseFormat = option(
        "nf4", help="how the base's matrices are held: 4-bit normal floats, 4-bit floats, or 8-bit integers"
    )
    double_quantization: bool = option(True, help="quantise the scales of 4-bit blocks too, which saves 0.4 bits each")


class FullOptimizerSpec(OptimizerSpec):
    """The optimiser's settings as they suit weights that are good already."""

    learning_rate: float = option(2e-5, gt=0, lt=1, help="peak learning rate")
    weight_decay: float = option(0.0, ge=0, help="decoupled weight decay of matrices; vectors have none")
    beta2: float = option(0.999, ge=0, lt=1, help="decay of AdamW's running mean of the squared gradient")


class FullSpec(SupervisedSpec):
    """``finetune full``."""

    freeze: list[str] = option(
        [],
        help="weights that stay as they are: embeddings, head, layers.0-3, or any part of their names between dots",
    )
    save_dtype: SaveDtype = option("base", help="number format of the weights that are kept; base is the checkpoint's")
    optimizer: FullOptimizerSpec = FullOptimizerSpec()


class DpoOptimizerSpec(OptimizerSpec):
    """The optimiser's settings as they suit preferences."""

    learning_rate: float | None = option(
        None, gt=0, lt=1, help="peak learning rate (default: 5e-5 for lora, 1e-6 for full)"
    )
    weight_decay: float = option(0.0, ge=0, help="decoupled weight decay of matrices; vectors have none")
    beta2: float = option(0.999, ge=0, lt=1, help="decay of AdamW's running mean of the squared gradient")


class PreferencesSpec(BatchSpec):
    """As for examples; a preference is two of them."""

    batch_size: int = option(8, ge=1, help="preferences in a batch")
    sequence_length: int | None = option(
        None, ge=8, help="longer conversations are cut to so many tokens (default: 1024, or the model's context)"
    )
    held_out_examples: int = option(64, ge=1, help="at most so many preferences of the validation split are evaluated")


class DpoSpec(Spec):
    """``finetune dpo``."""

    method: Literal["lora", "full"] = option("lora", help="learn low-rank changes and keep an adapter, or all weights")
    loss: Loss = option("sigmoid", help="sigmoid is DPO's own; ipo aims at a margin, hinge stops at one")
    beta: float = option(0.1, gt=0, help="how strongly the model is held to the checkpoint it starts from")
    label_smoothing: float = option(
        0.0, ge=0, lt=0.5, help="share of the preferences that is taken to be the wrong way round (sigmoid only)"
    )
    max_steps: int = option(50, ge=1, help="optimiser steps")
    low_rank: LowRankSpec = LowRankSpec()
    examples: PreferencesSpec = PreferencesSpec()
    save_dtype: SaveDtype = option("base", help="number format of the weights that --method full keeps")
    optimizer: DpoOptimizerSpec = DpoOptimizerSpec()
    precision: PrecisionSpec = PrecisionSpec()
    loop: LoopSpec = LoopSpec()
    parallel: ParallelSpec = ParallelSpec()
    cluster: ClusterSpec = ClusterSpec()


class MergeSpec(Spec):
    """``finetune merge``."""

    save_dtype: SaveDtype = option("base", help="number format of the merged weights; base is the checkpoint's")
    max_difference: float = option(
        0.001, gt=0, help="gate: largest difference of a logit, as a share of the largest logit, before rounding"
    )
