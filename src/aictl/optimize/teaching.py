"""How a smaller model is taught, after pruning or by a teacher."""

from __future__ import annotations

from aictl.core.spec import Spec, option


class TeachingSpec(Spec):
    """How many examples are learnt together, and how long they are."""

    batch_size: int = option(16, ge=1, help="examples in a batch")
    sequence_length: int | None = option(
        None, ge=8, help="longer texts are cut to so many tokens (default: 512, or the model's context)"
    )
    held_out_examples: int = option(256, ge=1, help="at most so many held-out examples are judged while it trains")
