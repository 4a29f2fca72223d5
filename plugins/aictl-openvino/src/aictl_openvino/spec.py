"""The options of ``aictl export openvino``."""

from __future__ import annotations

from typing import Literal

from aictl.core.spec import Spec, option

Precision = Literal["fp32", "fp16"]


class OpenVinoSpec(Spec):
    """What the weights are written in, and how closely the files must agree with the graph that they are made of."""

    precision: Precision | None = option(
        None, help="numbers of the weights; without it those of the graph. fp16 halves the files of one in fp32"
    )
    tolerance: float | None = option(
        None,
        gt=0,
        help="largest absolute difference of anything that comes out from what onnxruntime gives that is accepted; "
        "without it 0.001 for fp32, and for fp16 32 roundings of the largest number that comes out, 1.6% of it",
    )
