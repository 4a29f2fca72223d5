"""The settings of an export."""

from __future__ import annotations

from typing import Literal

from aictl.core.spec import Spec, option

Precision = Literal["fp32", "fp16", "bf16"]
GgufType = Literal["f32", "f16", "bf16", "q8_0"]


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


class GgufSpec(Spec):
    """What the weights are written in, and how closely the file must agree with PyTorch."""

    type: GgufType = option(
        "f16",
        help="numbers of the matrices; vectors stay f32. q8_0 has 8 bits in blocks of 32 with one scale, and is half "
        "as large as f16",
    )
    tolerance: float | None = option(
        None,
        gt=0,
        help="largest absolute difference of a logit from PyTorch's in fp32 that is accepted; without it 0.001 for "
        "f32, and for the others 32 roundings of the largest logit: 1.6% of it for f16, 12.5% for bf16, 25% for q8_0",
    )


class MobileSpec(Spec):
    """How closely onnxruntime's own format must agree with the graph that it is made of."""

    tolerance: float | None = option(
        None,
        gt=0,
        help="largest absolute difference of anything that comes out from what the graph gives that is accepted; "
        "without it 0.001",
    )
