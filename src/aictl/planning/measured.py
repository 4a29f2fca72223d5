"""What a benchmark knows of an accelerator that no data sheet tells: rates by size, and a process's own memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

Curve = tuple[tuple[float, float], ...]  # sizes and the rates at them, small to large


class Rates(NamedTuple):
    """Curves of one number format, empty where nothing was measured.

    ``products`` are operations/s by the operations of a matrix product; ``attention`` and
    ``attention_backward`` operations/s, counted in full, by the tokens of a sequence; ``loss`` logits/s,
    forward and backward together, by the number of logits.
    """

    products: Curve = ()
    attention: Curve = ()
    attention_backward: Curve = ()
    loss: Curve = ()


class Measured(NamedTuple):
    """``rates`` by number format; ``operator_s`` is one operator's fixed time, ``runtime_bytes`` what a process
    takes that has a runtime (``torch``, ``onnxruntime``) loaded and no model."""

    rates: Mapping[str, Rates]
    operator_s: float
    runtime_bytes: Mapping[str, float]


def along(curve: Curve, at: float) -> float:
    """A curve read at a size: straight lines on logarithmic axes, flat at the end. Below the smallest size
    the time stays that of the smallest."""
    if at <= curve[0][0]:
        return curve[0][1] * at / curve[0][0]
    for (low, slow), (high, fast) in pairwise(curve):
        if at <= high:
            share = math.log(at / low) / math.log(high / low)
            return math.exp(math.log(slow) + share * math.log(fast / slow))
    return curve[-1][1]
