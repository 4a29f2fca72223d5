"""How the vectors of a text's tokens become one, as sentence-transformers writes it beside a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Pooling = Literal["mean", "cls"]
# The ways that are followed here, by their names of both times.
FOLLOWED: Mapping[str, Pooling] = {"mean_tokens": "mean", "mean": "mean", "cls_token": "cls", "cls": "cls"}


def pooling_modes(said: Mapping[str, Any]) -> list[str]:
    """The ways of pooling that a ``1_Pooling/config.json`` names: up to release 5 of sentence-transformers
    ``{"pooling_mode_cls_token": true}``, from then on ``{"pooling_mode": "cls"}``, or a list of several."""
    stated = said.get("pooling_mode")
    if stated is not None:
        return [str(one) for one in stated] if isinstance(stated, list) else [str(stated)]
    start = "pooling_mode_"
    return [name.removeprefix(start) for name, on in said.items() if name.startswith(start) and on is True]
