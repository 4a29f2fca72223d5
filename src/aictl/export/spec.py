"""The settings of an export."""

from __future__ import annotations

from aictl.core.spec import Spec, option


class OnnxSpec(Spec):
    """How closely the exported graph must agree with PyTorch."""

    tolerance: float = option(
        1e-3,
        gt=0,
        help="largest absolute difference from PyTorch's of any logit or hidden state that is accepted; float32 "
        "rounding alone gives about 1e-6 for a tiny model and 1e-4 for one of 135M parameters",
    )
