"""A model of a front becomes an artifact of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from aictl.artifacts.front import Front, told
from aictl.artifacts.onnx import OnnxModel
from aictl.optimize.spec import PickSpec


def pick(front: Front, spec: PickSpec, folder: Path) -> OnnxModel:
    """Copy the model that was chosen, or the one that is named, into ``folder``. Raises :class:`NotFound`."""
    facts = front.facts
    one = front.entry(spec.model or facts["chosen"])
    parent = facts["models"][0]
    shutil.copytree(front.model(one["name"]).folder, folder, dirs_exist_ok=True)
    metrics = {
        **{who: {facts["measure"]: its["value"], "size_bytes": its["size_bytes"], "cpu_s": its["cpu_s"]}
           for who, its in (("parent", parent), ("candidate", one))},
        "quality_loss": one["loss"],
        "speedup": one["speedup"],
        "rounding": one["rounding"],
    }  # fmt: skip
    return OnnxModel(folder, metrics=metrics, summary=f"{one['name']}, {told(facts, one)}")
