"""The options of ``hw plan train``, ``hw plan finetune`` and ``hw plan serve``."""

from __future__ import annotations

from typing import Literal

from aictl.core.spec import Spec, option

Precision = Literal["auto", "fp32", "tf32", "bf16", "fp16", "fp8"]
Weights = Literal["auto", "fp32", "bf16", "fp16", "fp8", "int8", "int4"]
Cache = Literal["auto", "fp32", "bf16", "fp16", "fp8", "int8"]


class ModelSpec(Spec):
    """The model's shape where no MODEL is given; what is left out is assumed, and said."""

    params: float | None = option(None, gt=0, help="parameters in all, such as 7e9")
    layers: int | None = option(None, ge=1, help="layers")
    hidden: int | None = option(None, ge=1, help="hidden size")
    heads: int | None = option(None, ge=1, help="attention heads (assumed: 128 wide each, 64 in small models)")
    key_value_heads: int | None = option(None, ge=1, help="key and value heads (assumed: as many as heads)")
    feed_forward: int | None = option(None, ge=1, help="width of the feed-forward part (assumed: 4 x hidden)")
    vocabulary: int | None = option(None, ge=1, help="tokens in the vocabulary (assumed: 51200)")
    gated: bool | None = option(None, help="a gated feed-forward part, as SwiGLU")
    experts: int | None = option(None, ge=1, help="experts of a mixture")
    experts_per_token: int | None = option(None, ge=1, help="experts that a token goes through (assumed: 2)")


class HardwareSpec(Spec):
    """What it runs on."""

    accelerator: str | None = option(
        None, help="a name from the catalogue, such as a100-80gb, or here, with --machine (default: h100-80gb)"
    )
    count: int | None = option(
        None, ge=1, le=1_000_000, help="accelerators in all (default: 8; for here those benched)"
    )
    per_node: int | None = option(None, ge=1, le=4096, help="accelerators in a node (default: as usually sold)")
    link: str | None = option(None, help="link inside a node, such as nvlink4 or pcie4 (default: the accelerator's)")
    link_bytes_per_s: float | None = option(None, ge=1, help="bandwidth of that link, one way for each accelerator")
    network: str | None = option(
        None,
        help="network between nodes, such as ib-ndr and roce-400, a port each, or ethernet-100-tcp, a port a node "
        "(default: the usual one)",
    )
    network_bytes_per_s: float | None = option(
        None, ge=1, help="bandwidth of that network, one way for each accelerator"
    )
    price_per_hour: float | None = option(
        None, ge=0, le=1e9, help="price of one accelerator for an hour, in any currency"
    )


class LayoutSpec(Spec):
    """Parts of the layout to keep as given; the rest is searched."""

    data_parallel: int | None = option(None, ge=1, help="data-parallel ranks")
    tensor_parallel: int | None = option(None, ge=1, help="tensor-parallel ranks")
    pipeline_parallel: int | None = option(None, ge=1, help="pipeline stages")
    context_parallel: int | None = option(None, ge=1, help="context-parallel ranks, which share a sequence")
    expert_parallel: int | None = option(None, ge=1, help="ranks that share the experts of a mixture")
    interleave: int | None = option(None, ge=1, help="stages that each pipeline rank holds")
    sharding: int | None = option(
        None, ge=0, le=3, help="ZeRO stage: 1 optimizer states, 2 and gradients, 3 and weights (FSDP)"
    )
    microbatch: int | None = option(None, ge=1, help="sequences that go through a rank at once")
    recompute: Literal["none", "selective", "full"] | None = option(
        None, help="activations computed again in the backward pass"
    )


class WorkSpec(Spec):
    """How the training is done."""

    sequence_length: int | None = option(
        None, ge=1, le=100_000_000, help="tokens in a sequence (assumed: 2048, or 4096)"
    )
    batch: int | None = option(None, ge=1, le=100_000_000, help="sequences in a step over all ranks (assumed by size)")
    precision: Precision = option(
        "auto", help="number format of the products: auto takes bf16 where there is, else fp16"
    )
    optimizer: Literal["adamw", "adamw-8bit", "adafactor", "sgd"] = option("adamw", help="optimizer")
    attention: Literal["auto", "unfused", "flash1", "flash2", "flash3", "blocks"] = option(
        "auto",
        help="attention kernel: auto takes flash2, flash1 before Ampere, and blocks for short rows on a processor",
    )
    kernels: Literal["auto", "fused", "eager", "transformers"] = option(
        "auto",
        help="element-wise kernels: fused as in Megatron-LM or torch.compile, eager PyTorch's, or transformers' "
        "modules as they come; auto takes fused, and on a processor transformers'",
    )
    goodput: float = option(0.9, ge=0.001, le=1, help="share of the hours that trains; the rest is restarts and checks")


class AnswerSpec(Spec):
    """What is answered."""

    rank: Literal["time", "cost"] = option(
        "time", help="best first by time, or by cost, for which fewer accelerators are looked at too"
    )
    show: int = option(8, ge=1, le=1000, help="layouts to show")
    if_fits: bool = option(False, help="exit with 5 where nothing fits, and make nothing")
    explain: bool = option(False, help="show the formulas with their numbers")


class TrainSpec(Spec):
    """Options of ``hw plan train``."""

    tokens: float | None = option(None, ge=1, le=1e18, help="tokens to train on (assumed: 20 for each parameter)")
    model: ModelSpec = ModelSpec()
    hardware: HardwareSpec = HardwareSpec()
    work: WorkSpec = WorkSpec()
    layout: LayoutSpec = LayoutSpec()
    answer: AnswerSpec = AnswerSpec()


class FinetuneSpec(Spec):
    """Options of ``hw plan finetune``."""

    method: Literal["full", "lora", "qlora"] = option(
        "lora", help="what is trained: all weights or adapters beside them"
    )
    adapter_rank: int = option(16, ge=1, le=65536, help="rank of the adapters")
    tokens: float | None = option(None, ge=1, le=1e18, help="tokens to train on (assumed: 10 million)")
    chunked_loss: bool = option(False, help="the loss is computed in pieces, so that logits take little memory")
    model: ModelSpec = ModelSpec()
    hardware: HardwareSpec = HardwareSpec()
    work: WorkSpec = WorkSpec()
    layout: LayoutSpec = LayoutSpec()
    answer: AnswerSpec = AnswerSpec()


class ServeSpec(Spec):
    """Options of ``hw plan serve``."""

    prompt_tokens: int = option(1024, ge=1, le=100_000_000, help="tokens of a usual prompt")
    output_tokens: int = option(256, ge=1, le=100_000_000, help="tokens of a usual answer")
    requests_per_s: float | None = option(None, gt=0, le=1e9, help="requests a second to serve in all")
    concurrency: int | None = option(
        None, ge=1, le=100_000, help="requests at once for each replica (default: what fits)"
    )
    weights: Weights = option(
        "auto", help="number format of the weights: auto takes an ONNX model's own, else bf16 or fp16"
    )
    cache: Cache = option("auto", help="number format of keys and values: auto takes 16 bits, or 8 for 8-bit weights")
    decode_attention: Literal["grouped", "repeated"] = option(
        "grouped",
        help="whether attention to the cache reads keys and values once for the query heads that share them, "
        "or for each of these, as engines of 2023 did",
    )
    tensor_parallel: int | None = option(None, ge=1, help="accelerators of a replica (default: each number is tried)")
    utilisation: float = option(0.75, ge=0.001, le=1, help="share of its throughput at which a replica is run")
    model: ModelSpec = ModelSpec()
    hardware: HardwareSpec = HardwareSpec()
    if_fits: bool = option(False, help="exit with 5 where nothing fits, and make nothing")
    explain: bool = option(False, help="show the formulas with their numbers")
