"""What is searched for, and how thoroughly."""

from __future__ import annotations

from typing import Literal

from aictl.core.spec import option
from aictl.optimize.spec import QualitySpec

Target = Literal["latency", "size", "throughput"]


class AutoSpec(QualitySpec):
    """What the best one is to be best at, what it may lose, and what is spent on finding out."""

    target: Target = option(
        "latency",
        help="what the best one has least of: CPU time of a token or an input, size of the weights; or most of: tokens "
        "or inputs a second, --at-once together",
    )
    rounds: int = option(5, ge=3, le=1000, help="turns of each model in which speed is measured; one more warms up")
    at_once: int = option(4, ge=2, le=4096, help="sequences or inputs that are asked for together for throughput")
    prompt_tokens: int = option(64, ge=1, le=1_000_000, help="of a language model: length of the prompts")
    new_tokens: int = option(16, ge=2, le=100_000, help="of a language model: tokens that follow a prompt")
    calibration_tokens: int = option(
        8192, ge=256, le=2**24, help="of the split train, that weights of a language model are rounded for"
    )
    calibration_documents: int = option(
        64, ge=1, le=10_000, help="of the split train, that what flows between layers of a network is measured on"
    )
