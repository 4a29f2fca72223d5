"""The numbers that no formula gives: each with what it was fitted to, or who measured it.

``fitted`` numbers come from the calibration rows alone: ``tests/bench/planner.py`` refits them and
the published runs that the planner is judged by had no part in it. ``measured`` ones were published
by others. ``reasoned`` ones are neither: they are small, and stand here to be doubted.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Provenance(NamedTuple):
    """Where a constant's value comes from."""

    how: Literal["fitted", "measured", "reasoned"]
    what: str
    source: str


class Constants(NamedTuple):
    """The values; :data:`PROVENANCE` says of each what it is."""

    gemm_depth: float = 264.0
    eager_traffic: float = 1.68
    contention: float = 0.367
    straggling: float = 0.0075
    flash1_ampere: float = 0.672
    flash1_hopper: float = 0.388
    sustained_hopper: float = 0.861
    matmul_tpu: float = 0.97
    searched: float = 0.94
    decode_layer_s: float = 53e-6
    decode_all_reduce_s: float = 5.09e-6
    prompt_layer_s: float = 31e-6
    repeated_reads: float = 0.65
    repeated_reads_fp8: float = 1.0

    memory_bandwidth: float = 0.83
    flash2_ampere: float = 1.15
    flash2_hopper: float = 0.68
    flash3_hopper: float = 1.10
    network: float = 0.80
    goodput: float = 0.90

    host: float = 1.03
    split_k: float = 0.5
    torus_axis: float = 1.5
    hop_s: float = 8e-6
    send_s: float = 10e-6
    logits_traffic_bytes: float = 24
    usable_memory: float = 0.94
    reserve_bytes: float = 4e9
    lone_reserve_bytes: float = 1e9
    fragmentation: float = 0.25
    packed_weights: float = 1.5
    tokenizer_bytes: float = 500


SHIPPED = Constants()


class Judged(NamedTuple):
    """How far the planner was off on published runs that calibrated nothing: the sizes of its errors in
    time, and how much ``fast``er and ``slow``er the runs went than planned, eight in ten between the two."""

    rows: int
    median: float
    worst: float
    fast: float
    slow: float


class Served(NamedTuple):
    """The same for throughput and times of serving."""

    rows: int
    median: float
    worst: float


JUDGED = Judged(rows=59, median=0.061, worst=0.262, fast=0.91, slow=1.22)  # tests hold these to the rows
SERVED = Served(rows=18, median=0.053, worst=0.13)

_MPT = "127 rows of llm-foundry's MPT tables, https://github.com/mosaicml/llm-foundry (scripts/train/benchmarking)"
_MAXTEXT = "MaxText 22B on TPU v4, 4 rows, https://github.com/AI-Hypercomputer/maxtext (configs/v4)"
_TRT_LLM = "TensorRT-LLM 0.5, https://github.com/NVIDIA/TensorRT-LLM/blob/release/0.5.0/docs/source/performance.md"
_GPT_FAST = "gpt-fast, Llama 2 7B in bf16 on 1, 2, 4, 8 A100, https://github.com/pytorch-labs/gpt-fast"

PROVENANCE: dict[str, Provenance] = {
    "gemm_depth": Provenance(
        "fitted", "a matrix product of inner depth k runs at k / (k + this) of the best rate", _MPT
    ),
    "eager_traffic": Provenance("fitted", "unfused element-wise kernels move this many times the bytes", _MPT),
    "contention": Provenance(
        "fitted", "communication that hides behind compute slows it by this share of its own time", _MPT
    ),
    "straggling": Provenance("fitted", "longer step for each doubling of the hosts", f"{_MPT}; {_MAXTEXT}"),
    "flash1_ampere": Provenance("fitted", "uncausal attention FLOP/s over peak, Triton's kernel of 2023", _MPT),
    "flash1_hopper": Provenance("fitted", "the same on Hopper, where that kernel was young", _MPT),
    "sustained_hopper": Provenance("fitted", "training under the power limit against the best short product", _MPT),
    "matmul_tpu": Provenance("fitted", "best product over peak on a TPU; at the bound of the fit", _MAXTEXT),
    "searched": Provenance(
        "fitted",
        "share of a searched layout's speed that the rows' own layouts reached (median): the best of many near "
        "equal predictions flatters itself",
        _MPT,
    ),
    "decode_layer_s": Provenance("fitted", "kernels of one layer that do not shrink with the work", _GPT_FAST),
    "decode_all_reduce_s": Provenance("fitted", "one small all-reduce inside a node", _GPT_FAST),
    "prompt_layer_s": Provenance(
        "fitted", "launches of one layer in a pass over prompts, which no graph captures", f"{_TRT_LLM}, 2 rows on L40S"
    ),
    "repeated_reads": Provenance(
        "fitted",
        "share of the reads beyond the first that go to memory, where each query head reads its keys and values anew",
        f"{_TRT_LLM}, 7 rows on A100",
    ),
    "repeated_reads_fp8": Provenance(
        "fitted", "the same for keys and values of 8 bits, which each head also converts", f"{_TRT_LLM}, 7 rows on H100"
    ),
    "memory_bandwidth": Provenance("measured", "1700 of 2039 GB/s on an A100", "gpt-fast README"),
    "flash2_ampere": Provenance(
        "measured",
        "50-73 % of peak counted causally, here in full",
        "FlashAttention-2, https://arxiv.org/abs/2307.08691",
    ),
    "flash2_hopper": Provenance(
        "measured",
        "335 of 989 TFLOP/s counted causally, here in full",
        "FlashAttention-2, https://arxiv.org/abs/2307.08691",
    ),
    "flash3_hopper": Provenance(
        "measured",
        "0.6-0.75 forward, 0.5 backward counted causally",
        "FlashAttention-3, https://arxiv.org/abs/2407.08608",
    ),
    "network": Provenance("measured", "large messages over RDMA", "https://github.com/stas00/ml-engineering (network)"),
    "goodput": Provenance(
        "measured", "share of a long run's hours that trains", "Llama 3, https://arxiv.org/abs/2407.21783 section 3.3.4"
    ),
    "host": Provenance("reasoned", "launches, data loading, logging", "held at a guess made before any comparison"),
    "split_k": Provenance("reasoned", "speed of a product of few rows, whose depth is split to fill the chip", "-"),
    "torus_axis": Provenance("reasoned", "one axis of a torus owns a part of the links: they are divided by this", "-"),
    "hop_s": Provenance("reasoned", "one doubling of a collective's ranks", "NCCL's latency on NVLink is 6-10 us"),
    "send_s": Provenance("reasoned", "one message between pipeline stages", "-"),
    "logits_traffic_bytes": Provenance("reasoned", "bytes moved per logit by an fp32 softmax and its gradient", "-"),
    "usable_memory": Provenance("reasoned", "share of the driver's total that may be planned", "-"),
    "reserve_bytes": Provenance("reasoned", "context, collectives' buffers, fragmentation", "-"),
    "lone_reserve_bytes": Provenance("reasoned", "the same for one accelerator, without collectives", "-"),
    "fragmentation": Provenance(
        "reasoned",
        "share of activations and logits that is lost between them under transformers' modules",
        "set in view of docs/benchmarks/small-models.md",
    ),
    "packed_weights": Provenance(
        "reasoned",
        "memory of 8- and 4-bit weights over their size, once onnxruntime has packed them for a processor",
        "set in view of docs/benchmarks/small-models.md",
    ),
    "tokenizer_bytes": Provenance(
        "reasoned", "memory of a tokenizer for each token of its vocabulary", "GPT-2's and SmolLM2's, 49,152 tokens"
    ),
}
