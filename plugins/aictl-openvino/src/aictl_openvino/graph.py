"""Graphs in OpenVINO: read from ONNX, written, and loaded to be run on the processor.

``openvino.convert_model`` is not called: it sends figures about what it converts to its makers, unless somebody opted
out on this machine, and to read an ONNX file takes no more than the runtime itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import openvino

from aictl.artifacts.signature import Signature
from aictl.core.errors import Damaged, MachineLacks, WorkFailed

_SHOWN_LINES = 2  # of OpenVINO's own words in an error
_PLACES = ("Exception from ", "Check '", "Summary:")
# As onnxruntime calls them, of what is fed here.
_TYPES = {"i64": "tensor(int64)", "f32": "tensor(float)", "f16": "tensor(float16)"}
# One thread, as whatever it is timed beside; and the numbers that the graph is in: where a processor has instructions
# for bf16 OpenVINO would reckon in these by itself.
_SETTINGS = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}


def version() -> str:
    """The version of OpenVINO, such as ``2026.4.1``."""
    return str(openvino.get_version()).partition("-")[0]


def write(source: Path, signature: Signature, path: Path, *, fp16: bool) -> None:
    """Write an ONNX graph as ``path`` and the ``.bin`` beside it; with ``fp16`` its float32 weights are rounded.

    Raises :class:`WorkFailed` where OpenVINO has no form for an operator, :class:`MachineLacks` for a full disk.
    """
    try:
        model = openvino.Core().read_model(str(source))
        # A tensor that was renamed on the way has every name that it ever had, and whoever asks for one gets any.
        for ports, side in ((model.inputs, signature.inputs), (model.outputs, signature.outputs)):
            for port, one in zip(ports, side, strict=True):
                port.get_tensor().set_names({one.name})
        # What has no name in the graph is called by how many there were before it in this process.
        for position, node in enumerate(model.get_ordered_ops()):
            if node.get_friendly_name() == node.get_name():
                node.set_friendly_name(f"{node.get_type_name()}_{position}")
    except Exception as error:  # what the frontends raise has no public base class
        raise WorkFailed(f"OpenVINO {version()} cannot read {source.name}: {_words(error)}") from error
    try:
        openvino.save_model(model, str(path), compress_to_fp16=fp16)
    except Exception as error:
        raise MachineLacks(
            f"{path} cannot be written: {_words(error)}", cure="free some space, then run the same command again"
        ) from error


class Port(NamedTuple):
    """One input or output, in onnxruntime's words; see :class:`aictl.export.loaded.Loaded`."""

    name: str
    shape: list[int | str]
    type: str


class Graph:
    """A graph, loaded from what was written. See :class:`aictl.export.loaded.Loaded`."""

    def __init__(self, path: Path) -> None:
        """Raises :class:`Damaged` for files that OpenVINO cannot read."""
        core = openvino.Core()
        try:
            self._compiled = core.compile_model(core.read_model(str(path)), "CPU", _SETTINGS)
        except Exception as error:
            raise Damaged(f"{path} cannot be loaded: {_words(error)}") from error
        self._request = self._compiled.create_infer_request()

    def get_inputs(self) -> list[Port]:
        return [_port(one) for one in self._compiled.inputs]

    def get_outputs(self) -> list[Port]:
        return [_port(one) for one in self._compiled.outputs]

    def run(self, output_names: Sequence[str], input_feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        self._request.infer({name: np.ascontiguousarray(value) for name, value in input_feed.items()})
        return [self._request.get_tensor(name).data.copy() for name in output_names]


def _port(port: Any) -> Port:
    extents = [int(one.get_length()) if one.is_static else "free" for one in port.get_partial_shape()]
    kind = port.get_element_type().get_type_name()
    return Port(port.get_any_name(), extents, _TYPES.get(kind, kind))


def _words(error: Exception) -> str:
    """The end of what OpenVINO says, which is about the model; before it stands where in OpenVINO that was."""
    lines = [line.strip(" -") for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(_PLACES)]
    return "; ".join(told[-_SHOWN_LINES:]) or type(error).__name__
