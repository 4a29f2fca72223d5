"""The settings of one generation."""

from __future__ import annotations

from typing import Literal

from aictl.core.spec import Spec, option


class GenerateSpec(Spec):
    """What is asked, and how the answer's tokens are chosen."""

    prompt: str | None = option(None, positional=True, help="what to answer; read from stdin if left out or '-'")
    raw: bool = option(False, help="continue the prompt as it stands, without the model's chat template")
    system: str | None = option(None, help="instructions that stand before the prompt in a chat")
    max_tokens: int = option(256, ge=1, help="longest answer, in tokens")
    temperature: float = option(0.0, ge=0, le=2, help="0 takes the likeliest token each time; higher is more varied")
    top_p: float = option(1.0, gt=0, le=1, help="choose among the likeliest tokens that together reach this share")
    seed: int | None = option(None, ge=0, lt=2**64, help="the same seed gives the same answer")
    stop: list[str] = option([], help="end the answer before this text; may be given several times")
    threads: int | None = option(None, ge=1, le=1024, help="CPU threads; the runtime's own if unset")
    device: Literal["auto", "cpu", "cuda"] = option("auto", help="where the model runs")
