"""Terms: on what a model is judged, and how."""

from __future__ import annotations

from typing import NamedTuple


class Terms(NamedTuple):
    """``most`` documents at most are drawn from ``split``, another ``seed`` draws others; measures have intervals of
    ``confidence`` from ``resamples``. A language model reads ``window`` tokens at once and writes ``max_tokens`` at
    most; of a text it reads the first ``characters``, or all. ``threads`` is None for as many as the runtime takes;
    ``device`` is auto, cpu or cuda."""

    split: str
    most: int
    seed: int
    confidence: float
    resamples: int
    window: int
    max_tokens: int
    threads: int | None
    device: str
    characters: int | None = None
