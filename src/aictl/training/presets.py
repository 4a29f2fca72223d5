"""Sizes of model that train well with the settings beside them, in one table.

Widths are multiples of 128 and heads have 64 dimensions, which every runtime's fused and quantised
kernels take. A feed-forward layer is 3 times as wide as the model, about the 8/3 that gives SwiGLU
(https://arxiv.org/abs/2002.05202) the size of a plain one. Learning rates fall with width as in
https://arxiv.org/abs/2203.03466.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PresetName = Literal["tiny", "small", "base", "large"]


@dataclass(frozen=True)
class Preset:
    """A model's shape, and how to train it unless told otherwise. ``context`` is the longest
    sequence that it may be trained on, ``sequence_length`` that on which it is."""

    hidden_size: int
    layers: int
    heads: int
    key_value_heads: int
    intermediate_size: int
    vocabulary: int
    context: int
    sequence_length: int
    batch_size: int
    max_steps: int
    learning_rate: float


PRESETS: dict[PresetName, Preset] = {
    # 4 million parameters: a minute and a half on two CPU cores.
    "tiny": Preset(256, 4, 4, 2, 768, 4096, 1024, 256, 8, 250, 3e-3),
    # 27 million: hours on a CPU, minutes on a GPU.
    "small": Preset(512, 6, 8, 4, 1536, 16384, 2048, 512, 16, 5_000, 1.5e-3),
    # 110 million: one GPU.
    "base": Preset(768, 12, 12, 4, 2304, 32768, 4096, 1024, 32, 20_000, 6e-4),
    # 340 million: one large GPU.
    "large": Preset(1024, 24, 16, 4, 3072, 32768, 4096, 1024, 64, 40_000, 4e-4),
}
