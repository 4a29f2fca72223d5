"""Adapt a pretrained model to your own data."""

from collections.abc import Mapping
from typing import Any

from aictl.core.loading import loading
from aictl.finetune.spec import SupervisedSpec


def foresees(spec: SupervisedSpec, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """What teaching by examples would take, whichever weights are changed."""
    with loading():
        from aictl.finetune.foresight import foresee
        from aictl.hw.memory import usable_bytes

    found = foresee(inputs["checkpoint"], spec, usable_bytes=usable_bytes())
    return found.document() if found else {}
