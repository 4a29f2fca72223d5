"""A graph that is loaded, in whatever runtime: what comparing asks of one, in onnxruntime's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np


class Loaded(Protocol):
    """onnxruntime's own ``InferenceSession`` is one."""

    def get_inputs(self) -> Sequence[Any]:
        """What goes in, each with its ``name``, its ``shape``, in which what is free is no number, and its ``type``,
        such as ``tensor(float16)``."""
        ...

    def get_outputs(self) -> Sequence[Any]:
        """What comes out, each with its ``name``."""
        ...

    def run(self, output_names: Sequence[str], input_feed: Mapping[str, np.ndarray]) -> Sequence[Any]:
        """The outputs of these names, as arrays."""
        ...
