"""How a model and its batch are cut over accelerators, and what recipe it is trained by."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from aictl.core.errors import BadRequest
from aictl.planning.shape import Shape

Recompute = Literal["none", "selective", "full"]
Attention = Literal["unfused", "flash1", "flash2", "flash3"]
Fusion = Literal["fused", "eager"]
OptimizerName = Literal["adamw", "adamw-8bit", "adafactor", "sgd"]
RECOMPUTE: tuple[Recompute, ...] = get_args(Recompute)


class Layout(NamedTuple):
    """Ranks of each kind of parallelism, and what one rank does.

    ``sharding`` is ZeRO's stage (https://arxiv.org/abs/1910.02054): 1 shards optimizer states over the
    data-parallel ranks, 2 the gradients too, 3 the weights too, as FSDP does. ``interleave`` is the
    number of stages a rank of a pipeline holds (https://arxiv.org/abs/2104.04473 section 2.2), and
    ``balanced_ends`` counts embedding and head as a layer each. Expert-parallel ranks are data-parallel
    ones too. ``slices`` are groups of accelerators between which only gradients travel.
    """

    data_parallel: int = 1
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    context_parallel: int = 1
    expert_parallel: int = 1
    interleave: int = 1
    sharding: int = 0
    microbatch: int = 1
    recompute: Recompute = "none"
    sequence_parallel: bool = False
    balanced_ends: bool = False
    slices: int = 1

    @property
    def ranks(self) -> int:
        return self.data_parallel * self.tensor_parallel * self.pipeline_parallel * self.context_parallel

    @property
    def shown(self) -> str:
        """The layout in a few words, leaving out what is 1."""
        words = [
            f"{name} {value}"
            for name, value in (
                ("data", self.data_parallel),
                ("tensor", self.tensor_parallel),
                ("pipeline", self.pipeline_parallel),
                ("context", self.context_parallel),
                ("expert", self.expert_parallel),
            )
            if value > 1
        ]
        return " x ".join(words) or "one accelerator"


class Recipe(NamedTuple):
    """What is trained how: lengths in tokens, ``batch`` in sequences, and the software's level.

    ``gradient_bytes`` is the width in which gradients are summed. ``overlap_gradients`` sends them beside
    the last backward pass, ``overlap_tensor`` hides tensor parallelism's forward traffic too. Where
    weights are frozen they have ``frozen_bytes`` each, and ``trained_share`` of their number is trained
    beside them. ``logits_chunks`` is in how many pieces the loss is computed.
    """

    sequence_length: int
    batch: int
    precision: str = "bf16"
    optimizer: OptimizerName = "adamw"
    attention: Attention = "flash2"
    kernels: Fusion = "fused"
    dropout: bool = False
    gradient_bytes: int = 4
    overlap_gradients: bool = True
    overlap_tensor: bool = False
    trained_share: float = 1.0
    frozen_bytes: float = 0.0
    logits_chunks: int = 1

    @property
    def frozen(self) -> bool:
        """Whether the model's own weights stand still and only added ones learn."""
        return self.frozen_bytes > 0

    def microbatches(self, layout: Layout) -> int:
        """Microbatches that a rank works through in one step."""
        return max(1, round(self.batch / (layout.data_parallel * layout.microbatch)))

    def tokens(self, layout: Layout) -> float:
        """Tokens of one microbatch on one rank."""
        return layout.microbatch * self.sequence_length // layout.context_parallel

    def microbatch_tokens(self, layout: Layout) -> float:
        """The same without cutting to whole tokens: what memory is counted by."""
        return layout.microbatch * self.sequence_length / layout.context_parallel

    @property
    def level(self) -> str:
        """The software that is taken for granted, in words."""
        return f"{_ATTENTION[self.attention]}, {_KERNELS[self.kernels]}"


_ATTENTION = {
    "unfused": "attention that stores its scores (before 2022)",
    "flash1": "FlashAttention of 2022-23",
    "flash2": "FlashAttention-2",
    "flash3": "FlashAttention-3",
}
_KERNELS = {"fused": "fused element-wise kernels", "eager": "unfused element-wise kernels (eager PyTorch)"}


def check(shape: Shape, layout: Layout, count: int, batch: int) -> None:
    """Raise :class:`BadRequest` for a layout that cannot be: it does not multiply to ``count``, or
    cuts what cannot be cut."""
    if layout.ranks != count:
        raise BadRequest(
            f"the layout multiplies to {layout.ranks} accelerators "
            f"(data {layout.data_parallel} x tensor {layout.tensor_parallel} x pipeline {layout.pipeline_parallel} "
            f"x context {layout.context_parallel}), and there are {count}",
            cure="change one of them, or leave one out and it is chosen",
        )
    if shape.heads % layout.tensor_parallel:
        raise BadRequest(
            f"{shape.heads} heads cannot be cut into {layout.tensor_parallel} equal parts",
            cure="--tensor-parallel divides the heads",
        )
    if layout.pipeline_parallel > shape.layers:
        raise BadRequest(f"{shape.layers} layers cannot fill {layout.pipeline_parallel} stages")
    if batch % (layout.data_parallel * layout.microbatch):
        raise BadRequest(
            f"a batch of {batch} sequences cannot be cut into microbatches of {layout.microbatch} "
            f"on {layout.data_parallel} data-parallel ranks",
            cure="--batch is a multiple of data-parallel ranks times microbatch",
        )
