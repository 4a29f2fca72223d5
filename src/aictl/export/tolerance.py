"""How far rounding alone may take what comes out of a model from what comes out in float32."""

from __future__ import annotations

from collections.abc import Mapping

# Half the distance of 1 to the next number: 11 and 8 significant bits (IEEE 754 binary16; bfloat16). The step of q8_0
# is a 127th of the largest number in a block of 32, which is about twice as large as most: half of it is a 127th of
# those.
_ROUNDOFF: Mapping[str, float] = {"fp16": 2.0**-11, "bf16": 2.0**-8, "q8_0": 1 / 127}
# Roundings of the largest number that comes out. Each layer adds a few to what runs through all of them, of both signs,
# so that they grow as the root of their number. The worst of SmolLM2-135M's 5 million logits (30 layers) is off by
# 17 of them in fp16 and by 13 in bf16, that of all-MiniLM-L6-v2's hidden states (6 layers) by 2.
_ROUNDINGS = 32
_FP32_TOLERANCE = 1e-3


def usual_tolerance(precision: str, largest: float) -> float:
    """The largest difference that rounding to ``precision`` explains, where ``largest`` is the largest number that
    comes out."""
    return _FP32_TOLERANCE if precision == "fp32" else _ROUNDINGS * _ROUNDOFF[precision] * largest
