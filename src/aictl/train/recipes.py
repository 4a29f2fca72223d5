"""Sizes of network for each task but language models, with the settings that train them well, one table a task.

``tiny`` is minutes on two CPU cores, ``small`` minutes on a GPU, ``base`` hours on one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aictl.training.presets import PresetName


@dataclass(frozen=True)
class Recipe:
    """How to train unless told otherwise: passes over the data, but at least ``fewest_steps`` steps."""

    batch_size: int
    epochs: float
    fewest_steps: int
    learning_rate: float


@dataclass(frozen=True)
class TextRecipe(Recipe):
    """An encoder of texts. ``context`` is the longest text that it may be trained on, ``sequence_length`` that on
    which it is."""

    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    vocabulary: int
    context: int
    sequence_length: int


@dataclass(frozen=True)
class PictureRecipe(Recipe):
    """A network for pictures of ``resolution`` pixels at most a side: of convolutions in stages of ``widths`` and
    ``depths``, or of attention over patches of one sixteenth of the resolution, as wide as the last stage."""

    resolution: int
    widths: tuple[int, ...]
    depths: tuple[int, ...]


@dataclass(frozen=True)
class DetectorRecipe(PictureRecipe):
    """A network of convolutions, and attention of a width and depth after them that asks ``queries`` times what is
    where."""

    hidden_size: int
    layers: int
    queries: int


@dataclass(frozen=True)
class DualRecipe(TextRecipe):
    """Two encoders of the same width and depth, one for pictures of ``resolution`` pixels at most a side cut into
    patches of ``patch``, one for texts."""

    resolution: int
    patch: int


# Encoders as in https://arxiv.org/abs/2412.13663 (ModernBERT), whose smallest is "base".
TEXTS: Mapping[PresetName, TextRecipe] = {
    "tiny": TextRecipe(32, 10, 300, 1e-3, 192, 3, 3, 384, 4096, 512, 128),
    "small": TextRecipe(64, 5, 500, 5e-4, 384, 6, 6, 768, 16384, 1024, 256),
    "base": TextRecipe(64, 5, 1000, 3e-4, 768, 12, 12, 1536, 32768, 2048, 512),
    "large": TextRecipe(128, 5, 1000, 2e-4, 1024, 24, 16, 2688, 32768, 2048, 512),
}

# Encoder-decoders: by default BART's blocks (https://arxiv.org/abs/1910.13461). From the start and with AdamW those of
# T5 learn far more slowly: of number words they wrote 1 of 10 right after 400 steps, where BART's wrote all.
SEQUENCES: Mapping[PresetName, TextRecipe] = {
    "tiny": TextRecipe(32, 10, 600, 1e-3, 192, 3, 3, 512, 4096, 512, 128),
    "small": TextRecipe(64, 5, 2000, 7e-4, 512, 8, 6, 1024, 16384, 1024, 256),
    "base": TextRecipe(64, 3, 5000, 4e-4, 768, 12, 12, 2048, 32768, 1024, 512),
    "large": TextRecipe(64, 3, 5000, 3e-4, 1024, 24, 16, 2816, 32768, 1024, 512),
}

# The widths and depths of "base" and "large" are those of ResNet-50 (https://arxiv.org/abs/1512.03385) and of a
# deeper one; "tiny" and "small" are ResNets of plain blocks.
PICTURES: Mapping[PresetName, PictureRecipe] = {
    "tiny": PictureRecipe(128, 8, 500, 4e-3, 64, (32, 64, 128), (1, 1, 1)),
    "small": PictureRecipe(128, 20, 1000, 3e-3, 128, (64, 128, 256, 512), (2, 2, 2, 2)),
    "base": PictureRecipe(256, 60, 2000, 2e-3, 224, (256, 512, 1024, 2048), (3, 4, 6, 3)),
    "large": PictureRecipe(256, 90, 2000, 2e-3, 224, (256, 512, 1024, 2048), (3, 4, 23, 3)),
}

# Detectors as in https://arxiv.org/abs/2005.12872 (DETR), which "base" is, with its 100 queries on a ResNet-50. They
# learn slowly: the paper takes 300 epochs.
DETECTORS: Mapping[PresetName, DetectorRecipe] = {
    "tiny": DetectorRecipe(16, 60, 1500, 5e-4, 128, (32, 64, 128), (1, 1, 1), 128, 2, 20),
    "small": DetectorRecipe(32, 150, 5000, 3e-4, 256, (64, 128, 256, 512), (2, 2, 2, 2), 256, 3, 50),
    "base": DetectorRecipe(32, 300, 20_000, 1e-4, 512, (256, 512, 1024, 2048), (3, 4, 6, 3), 256, 6, 100),
    "large": DetectorRecipe(32, 300, 20_000, 1e-4, 800, (256, 512, 1024, 2048), (3, 4, 23, 3), 256, 6, 100),
}

# Dual encoders of the shapes of CLIP (https://arxiv.org/abs/2103.00020); "base" is about its ViT-B/16.
DUALS: Mapping[PresetName, DualRecipe] = {
    "tiny": DualRecipe(64, 10, 600, 1e-3, 128, 3, 4, 384, 2048, 77, 32, 64, 8),
    "small": DualRecipe(256, 20, 2000, 5e-4, 384, 8, 6, 1536, 16384, 77, 77, 128, 8),
    "base": DualRecipe(512, 30, 5000, 3e-4, 768, 12, 12, 3072, 32768, 77, 77, 224, 16),
    "large": DualRecipe(512, 30, 5000, 2e-4, 1024, 24, 16, 4096, 32768, 77, 77, 224, 14),
}
