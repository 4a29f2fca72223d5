"""From options to a recipe, with what was assumed."""

from __future__ import annotations

from math import ceil, gcd
from typing import Literal

from aictl.core.errors import BadRequest
from aictl.hw.plan.spec import WorkSpec
from aictl.planning.catalogue import Accelerator
from aictl.planning.layout import Attention, Fusion, Recipe
from aictl.planning.memory import LONGEST
from aictl.planning.shape import Shape

BEFORE_AMPERE = ("volta", "turing")
# Tokens of a step by parameters, as the GPT-3 family was trained (https://arxiv.org/abs/2005.14165 table 2.1).
BATCH_TOKENS = ((1e9, 0.5e6), (5e9, 1e6), (5e10, 2e6), (3e11, 3.1e6), (1e99, 8e6))
USUAL_LENGTH = 2048
LONGER_LENGTH = 4096


def precision_of(asked: str, accelerator: Accelerator) -> str:
    """The number format that is asked for, or the best 16 bits that there are; on a processor the faster of
    bf16 and fp32."""
    if asked != "auto":
        return asked
    offered = accelerator.formats
    if accelerator.generation == "cpu":
        return max(("fp32", "bf16"), key=lambda one: offered.get(one, 0.0))
    return next(one for one in ("bf16", "fp16", "fp32") if one in offered)


def kernels_of(asked: Literal["auto", Fusion], accelerator: Accelerator) -> Fusion:
    """The kernels that are asked for; else those of `aictl train` on a processor, and on an accelerator
    those of the software that such are trained with."""
    if asked != "auto":
        return asked
    return "transformers" if accelerator.generation == "cpu" else "fused"


def recipe_of(
    work: WorkSpec, shape: Shape, accelerator: Accelerator, count: int, *, batch: int | None = None
) -> tuple[Recipe, list[str]]:
    """The recipe, and a phrase for each guess. ``batch`` is assumed by the model's size where it is None
    and none is asked for."""
    assumed: list[str] = []
    length = work.sequence_length
    if length is None:
        length = min(shape.context, LONGER_LENGTH) if shape.context else USUAL_LENGTH
        assumed.append(f"sequences of {length:,} tokens")
    elif shape.positions and length > shape.positions:
        raise BadRequest(
            f"--sequence-length {length}: this model has learned {shape.positions} positions",
            cure=f"at most {shape.positions}",
        )
    sequences = work.batch or batch
    if work.batch is None:
        if sequences is None:
            sequences = _usual_batch(shape, length, count)
        assumed.append(f"a batch of {sequences:,} sequences")
    assert sequences is not None
    attention: Attention = "flash2"
    if work.attention != "auto":
        attention = work.attention
    elif accelerator.generation in BEFORE_AMPERE:
        attention = "flash1"
    precision = precision_of(work.precision, accelerator)
    short = length <= LONGEST and precision == "bf16"  # what `aictl train` attends to by blocks on a processor
    if work.attention == "auto" and accelerator.generation == "cpu" and short:
        attention = "blocks"
    recipe = Recipe(
        sequence_length=length,
        batch=sequences,
        precision=precision,
        optimizer=work.optimizer,
        attention=attention,
        kernels=kernels_of(work.kernels, accelerator),
    )
    return recipe, assumed


def _usual_batch(shape: Shape, length: int, count: int) -> int:
    """Sequences of a usual step, and no fewer than an eighth of the accelerators; rounded up by at most a
    quarter to what many layouts of so many accelerators divide."""
    tokens = next(size for most, size in BATCH_TOKENS if shape.active_parameters < most)
    unit = count // gcd(count, 64)
    least = max(1, ceil(max(tokens / length, count / 8) / unit))
    round_to = 1 << max(0, (least // 4).bit_length() - 1)
    return ceil(least / round_to) * round_to * unit
