"""How a model and its batch are cut over accelerators, and what recipe it is trained by."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, Literal, NamedTuple, get_args

from aictl.core.errors import BadRequest
from aictl.planning.shape import Shape

Recompute = Literal["none", "selective", "full"]
Attention = Literal["unfused", "flash1", "flash2", "flash3", "blocks"]
Fusion = Literal["fused", "eager", "transformers"]
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
    beside them, in two matrices of ``adapter_rank`` beside each. ``logits_chunks`` is in how many pieces the
    loss is computed.
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
    adapter_rank: int = 0
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
    "flash2": "FlashAttention-2 or its like",
    "flash3": "FlashAttention-3 or its like",
    "blocks": "attention by blocks, which keeps its weights (`aictl train` on a processor, short rows in bf16)",
}
_KERNELS = {
    "fused": "fused element-wise kernels",
    "eager": "unfused element-wise kernels (eager PyTorch)",
    "transformers": "transformers' modules as they come, under autocast",
}


RANKS = ("data_parallel", "tensor_parallel", "pipeline_parallel", "context_parallel")


def check(shape: Shape, fixed: Mapping[str, Any], count: int, batch: int) -> None:
    """Raise :class:`BadRequest` where what is fixed of a layout cannot be: it does not multiply to
    ``count``, or cuts what cannot be cut. ``fixed`` has fields of :class:`Layout`."""
    ranks = {name: fixed[name] for name in RANKS if name in fixed}
    product = prod(ranks.values())
    said = " x ".join(f"{name.removesuffix('_parallel')} {value}" for name, value in ranks.items())
    if set(RANKS[:3]) <= ranks.keys() and product != count:
        raise BadRequest(
            f"the layout multiplies to {product} accelerators ({said}), and there are {count}",
            cure="change one of them, or leave one out and it is chosen",
        )
    if count % product:
        raise BadRequest(
            f"{said} does not divide {count} accelerators",
            cure="change one of them, or --count to a multiple of their product",
        )
    tensor, stages, experts = (fixed.get(f"{one}_parallel", 1) for one in ("tensor", "pipeline", "expert"))
    if shape.heads % tensor:
        raise BadRequest(
            f"{shape.heads} heads cannot be cut into {tensor} equal parts", cure="--tensor-parallel divides the heads"
        )
    if stages > shape.layers:
        raise BadRequest(
            f"{shape.layers} layers cannot fill {stages} stages", cure="--pipeline-parallel is at most that"
        )
    if experts > 1 and (not shape.experts or shape.experts % experts):
        raise BadRequest(
            f"{experts} expert-parallel ranks do not divide {shape.experts or 'the'} experts"
            f"{'' if shape.experts else ' of a model that has none'}"
        )
    if fixed.get("interleave", 1) > 1 and stages == 1 and "pipeline_parallel" in fixed:
        raise BadRequest("--interleave cuts a pipeline's stages, and there is one stage")
    share = fixed.get("data_parallel", 1) * fixed.get("microbatch", 1)
    if batch % share:
        raise BadRequest(
            f"a batch of {batch} sequences is no multiple of {share}, the data-parallel ranks times the microbatch",
            cure=f"--batch {-(-batch // share) * share}, for example",
        )
