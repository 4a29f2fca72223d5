"""The options that every verb that trains shares, in groups to nest in its own Spec.

A verb that wants another default subclasses the group and declares that one option again.
"""

from __future__ import annotations

from typing import Literal

from aictl.core.spec import Spec, option

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Device = Literal["auto", "cpu", "cuda"]


class OptimizerSpec(Spec):
    """AdamW with a linear warm-up and a cosine decay."""

    learning_rate: float | None = option(None, gt=0, lt=1, help="peak learning rate; left out, the one that suits")
    warmup_fraction: float = option(0.1, ge=0, le=1, help="share of the steps in which the learning rate rises")
    final_rate_fraction: float = option(0.1, ge=0, le=1, help="learning rate at the end, as a share of the peak")
    weight_decay: float = option(0.1, ge=0, help="decoupled weight decay of matrices; vectors have none")
    beta1: float = option(0.9, ge=0, lt=1, help="decay of AdamW's running mean of the gradient")
    beta2: float = option(0.99, ge=0, lt=1, help="decay of AdamW's running mean of the squared gradient")
    max_gradient_norm: float = option(1.0, gt=0, help="gradients of a larger norm are scaled down to it")
    accumulate: int = option(1, ge=1, help="batches whose gradients are summed before each step")


class PrecisionSpec(Spec):
    """Number format, device and memory."""

    precision: Precision = option(
        "auto",
        help="number format of the matrix products: auto takes bf16 where the hardware has it, else fp16 or fp32",
    )
    device: Device = option("auto", affects_result=False, help="where to train: auto takes a GPU if there is one")
    tokens_at_once: int | None = option(
        None,
        ge=1,
        affects_result=False,
        help="tokens that go through the model together; a larger batch is cut, which bounds memory "
        "(default: 1024 on a CPU, 16384 on a GPU)",
    )
    compile: bool = option(
        False, affects_result=False, help="compile the model with torch.compile (needs a C++ compiler; slow to start)"
    )


class PictureSpec(Spec):
    """How pictures are cut to size, and changed a little each time they are seen."""

    resolution: int | None = option(
        None, ge=8, le=4096, help="height and width in pixels (default: twice the pictures', up to the preset's)"
    )
    flip: bool = option(True, help="mirror half of the pictures, left to right; not for letters and digits")
    shift_fraction: float = option(0.08, ge=0, lt=0.5, help="move pictures at random by up to this share of their size")
    crop_fraction: float = option(
        1.0, gt=0.1, le=1, help="show a random window of at least this share of the height, in place of moving them"
    )


class LoopSpec(Spec):
    """Randomness, evaluation and saving."""

    seed: int = option(0, ge=0, lt=2**63, help="seed of the initial weights, the order of the data and dropout")
    evaluate_every: int = option(100, ge=1, help="steps between evaluations on held-out data")
    keep: Literal["last", "best"] = option(
        "last", help="which weights are kept: those of the last step, or those with the lowest held-out loss"
    )
    spike_patience: int = option(
        20,
        ge=0,
        affects_result=False,
        help="steps in a row with a loss far above what it was after which the run is taken to have diverged; 0: never",
    )
    deterministic: bool = option(
        False,
        affects_result=False,
        help="use no operation whose result can differ between equal runs; an error where there is no other",
    )
    checkpoint_every: int | None = option(
        None,
        ge=1,
        affects_result=False,
        help="steps between the checkpoints that an interrupted run resumes from (default: by time)",
    )
    save_every_s: float = option(
        10,
        ge=0,
        affects_result=False,
        help="seconds between checkpoints, where --checkpoint-every is not given; 0 saves after every step",
    )
    keep_checkpoints: int = option(
        2, ge=1, affects_result=False, help="so many of the last checkpoints stay on the disk while a run is under way"
    )
