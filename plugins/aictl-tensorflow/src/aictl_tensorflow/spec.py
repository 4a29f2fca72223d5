"""The options of ``aictl model tensorflow``."""

from __future__ import annotations

from pathlib import Path

from aictl.artifacts.capability import Capability
from aictl.core.spec import Spec, option


class TensorflowSpec(Spec):
    """How a model is converted, and how closely the graph must agree with TensorFlow."""

    signature: str = option("serving_default", min_length=1, help="which of a SavedModel's signatures to take")
    can: Capability | None = option(None, help="what the model is for; TensorFlow's files do not say")
    opset: int = option(18, ge=13, le=22, help="version of the ONNX operators that the graph is written in")
    tolerance: float = option(
        1e-4,
        gt=0,
        help="largest difference of any output from TensorFlow's that is accepted, as a share of the output's largest "
        "value where that is above 1; float32 rounding alone gives about 1e-6",
    )
    python: Path | None = option(
        None,
        affects_result=False,
        help="the Python of an environment that has TensorFlow; unless given, the one that runs aictl",
    )
