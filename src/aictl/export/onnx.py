"""A checkpoint or adapter becomes an ONNX artifact that is known to agree with PyTorch."""

from __future__ import annotations

from pathlib import Path

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import require_capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.events import Events
from aictl.export import language, networks, rewriting
from aictl.export.forms import FORMS
from aictl.export.opset import require_opset
from aictl.export.spec import OnnxSpec


def export(model: Checkpoint | Adapter, spec: OnnxSpec, folder: Path, *, events: Events) -> OnnxModel:
    """Write the model's ONNX form into ``folder``.

    Raises :class:`GateMissed` if what comes out differs from PyTorch's in float32 by more than ``spec.tolerance``,
    :class:`WorkFailed` if the architecture cannot be traced or its numbers overflow in ``spec.precision`` (the layer is
    named), :class:`Damaged` if the model's files cannot be loaded, :class:`WrongKind` for a model that is for something
    else, :class:`MachineLacks` where onnxruntime does not read ``spec.opset``.
    """
    capability = model.capability
    require_capability(model.label, capability, "text-generation", "text-to-text", *FORMS, command="export onnx")
    require_opset(spec.opset)
    if capability == "text-generation":
        return language.export(model, spec, folder, events=events)
    if capability == "text-to-text":
        return rewriting.export(model, spec, folder, events=events)
    assert capability is not None
    return networks.export(model, capability, spec, folder, events=events)
