"""The settings of quantisation."""

from __future__ import annotations

from typing import Literal

from aictl.core.spec import Spec, option

Method = Literal["int4", "int8"]


class QuantizeSpec(Spec):
    """How to round the weights, and what the result must be worth to be kept."""

    method: Method = option(
        "int8", help="int8 keeps nearly all quality; int4 is smaller and faster, and costs small models some"
    )
    max_quality_loss: float = option(
        0.05, ge=0, help="largest relative increase of held-out perplexity that is accepted; 0.05 is 5%"
    )
    require_speedup: float | None = option(
        None,
        gt=0,
        help="fail unless decoding costs this many times less CPU time; only if the whole 95% confidence "
        "interval lies below it",
    )
    split: str = option("validation", help="split of the dataset on which quality is measured")
    quality_tokens: int = option(2048, ge=64, help="number of held-out tokens on which quality is measured")
