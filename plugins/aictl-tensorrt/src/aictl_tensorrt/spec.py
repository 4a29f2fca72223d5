"""The options of ``aictl optimize trt``."""

from __future__ import annotations

from typing import Literal

from aictl.core.spec import Spec, option

Precision = Literal["tf32", "fp32", "fp16"]


class TrtSpec(Spec):
    """How an engine is built, and for which shapes and GPUs."""

    builder: Literal["auto", "rtx", "tensorrt"] = option(
        "auto", help="TensorRT-RTX, TensorRT, or whichever is installed, TensorRT-RTX first"
    )
    precision: Precision = option(
        "tf32",
        help="fp32 weights multiplied in TF32 (10 bits of mantissa) or in full fp32; "
        "or fp16 weights, cache and logits, compared with fp32 on the CPU first",
    )
    max_batch: int = option(1, ge=1, le=4096, help="sequences that are run together at most")
    max_sequence: int = option(
        2048, ge=2, help="longest sequence in tokens, prompt and answer; at most the model's own context"
    )
    compute_capability: list[str] = option(
        [],
        help="GPU generation to build for, such as sm89; may be given several times. "
        "TensorRT-RTX only, whose own choice is every one from sm80 on",
    )
