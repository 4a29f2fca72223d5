"""The settings of data label."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from aictl.core.spec import Spec, option


class LabelSpec(Spec):
    """What becomes of the votes, whom to ask for them, and what to hand to reviewers."""

    uncovered: Literal["keep", "drop"] = option(
        "keep", help="documents for which no function votes: keep them without a label, or leave them out"
    )
    min_confidence: float = option(
        0.0, ge=0, le=1, help="treat a document as uncovered whose label would be less certain than this"
    )
    votes: bool = option(False, help="write what each function said into every document")
    review_out: Path | None = option(
        None,
        affects_result=False,
        help="write the documents worth a person's minute, disagreement first, to this .csv or .jsonl file",
    )
    review_count: int = option(100, ge=1, le=100_000, affects_result=False, help="how many documents to review")
    embedder_file: str | None = option(
        None, min_length=1, help="the embedding model to use where the source holds several: its folder or file in it"
    )
    endpoint: str | None = option(
        None,
        affects_result=False,
        help="URL of an OpenAI-compatible API that functions of kind llm ask, such as http://127.0.0.1:8000/v1; "
        "OPENAI_BASE_URL if unset. The key is OPENAI_API_KEY",
    )
    model: str | None = option(None, min_length=1, help="the model to ask there, as the API names it")
    concurrency: int = option(4, ge=1, le=256, affects_result=False, help="questions asked at the same time")
    request_timeout_s: float = option(60, gt=0, le=3600, affects_result=False, help="longest wait for one answer")
    retries: int = option(
        5, ge=0, le=100, affects_result=False, help="how often to ask again where the API is busy, down or confused"
    )
    threads: int | None = option(
        None, ge=1, le=1024, affects_result=False, help="CPU threads of the embedding model; the runtime's own if unset"
    )
    device: Literal["auto", "cpu", "cuda"] = option("auto", help="where the embedding model runs")
