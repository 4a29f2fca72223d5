"""The settings of an evaluation."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from aictl.core.spec import Spec, comma_separated, option
from aictl.judging.terms import Terms


class EvaluateSpec(Spec):
    """What to measure, on which documents, and what it must come to."""

    metrics: list[str] = option(
        [], help="what to measure, such as accuracy,macro_f1 or rouge,bleu; what is usual for the model if left out"
    )
    gate: list[str] = option(
        [], help="exit 1 unless it holds: 'accuracy>=0.9', 'perplexity<=20', 'bleu>=other' with --compare"
    )
    split: str = option("validation", min_length=1, help="split of the dataset")
    most: int = option(1000, ge=1, le=1_000_000, help="documents that are drawn at random where the split has more")
    seed: int = option(0, ge=0, lt=2**63, help="another seed draws other documents and other resamples")
    confidence: float = option(0.95, ge=0.5, le=0.999, help="how often intervals are to hold the truth")
    resamples: int = option(2000, ge=200, le=100_000, help="how often the documents are drawn again for intervals")
    window: int = option(1024, ge=16, le=2**20, help="most tokens that a language model reads at once")
    max_tokens: int = option(128, ge=1, le=100_000, help="longest text that is generated for a reference, in tokens")
    tasks: list[str] = option(
        [], help="in place of a dataset: tasks of lm-evaluation-harness, such as hellaswag,arc_easy (extra harness)"
    )
    threads: int | None = option(
        None, ge=1, le=1024, affects_result=False, help="CPU threads; the runtime's own if unset"
    )
    device: Literal["auto", "cpu", "cuda"] = option("auto", help="where the models run")

    _words = field_validator("metrics", "tasks", mode="before")(comma_separated)

    @property
    def terms(self) -> Terms:
        """On what, and how, a model is judged."""
        return Terms(**{name: getattr(self, name) for name in Terms._fields if name in type(self).model_fields})
