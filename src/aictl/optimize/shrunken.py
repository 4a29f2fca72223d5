"""The options that pruning and distilling share: what the smaller model is taught on, and what it must be worth."""

from __future__ import annotations

from aictl.core.spec import Spec, option


class QualitySpec(Spec):
    """What a smaller model must be worth to be kept, and on what that is measured."""

    max_quality_loss: float | None = option(
        0.05,
        ge=0,
        help="largest loss of quality that is accepted: of a language model the relative rise of held-out perplexity, "
        "of a classifier the fall of its accuracy; 0.05 is 5%, or 5 points",
    )
    split: str = option("validation", help="split of the dataset on which quality is measured")
    quality_tokens: int = option(8192, ge=64, help="held-out tokens on which a language model is measured")
    quality_documents: int = option(2000, ge=1, help="held-out documents on which a classifier is measured")


class TeachingSpec(Spec):
    """How many examples are learnt together, and how long they are."""

    batch_size: int = option(16, ge=1, help="examples in a batch")
    sequence_length: int | None = option(
        None, ge=8, help="longer texts are cut to so many tokens (default: 512, or the model's context)"
    )
    held_out_examples: int = option(256, ge=1, help="at most so many held-out examples are judged while it trains")
