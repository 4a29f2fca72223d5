"""The settings of an export."""

from __future__ import annotations

from typing import Literal

from aictl.core.spec import Spec, option

Precision = Literal["fp32", "fp16", "bf16"]


class OnnxSpec(Spec):
    """What the graph is written in, and how closely it must agree with PyTorch."""

    precision: Precision = option(
        "fp32",
        help="numbers of the weights and of the reckoning; fp16 and bf16 halve the file. bf16 has the range of fp32, "
        "but onnxruntime reckons in it on a GPU alone",
    )
    # The exporter's operators are those of 18, and its converter writes up to 25.
    opset: int = option(20, ge=18, le=25, help="version of the ONNX operators; TensorRT 10 reads up to 22")
    tolerance: float | None = option(
        None,
        gt=0,
        help="largest absolute difference from PyTorch's fp32 of anything that comes out that is accepted; without it "
        "0.001 for fp32, whose rounding alone gives about 1e-6 for a tiny model and 1e-4 for one of 135M parameters, "
        "and for fp16 and bf16 32 roundings of the largest number that comes out: 1.6% and 12.5% of it",
    )
