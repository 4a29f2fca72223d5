"""The one door through which an ONNX graph is opened."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

from aictl.artifacts.onnx_weights import require_whole
from aictl.core.errors import Damaged, MachineLacks

_ERRORS_ONLY = 3


def open_session(
    path: Path, threads: int | None = None, device: str = "auto", *, cure: str | None = None
) -> onnxruntime.InferenceSession:
    """Load a graph; ``device`` is ``auto``, ``cpu`` or ``cuda``, ``cure`` what to do about a damaged one.

    Raises :class:`Damaged` if it is no whole graph or its weights are not where they should be (which is looked at
    before onnxruntime follows the paths in it), :class:`MachineLacks` for a device that this onnxruntime was not built
    for, and for numbers that it cannot reckon with there.
    """
    require_whole(path)
    available = onnxruntime.get_available_providers()
    if device == "cuda" and "CUDAExecutionProvider" not in available:
        raise MachineLacks(
            "this onnxruntime was built without CUDA",
            cure="pip uninstall onnxruntime onnxruntime-genai; pip install 'aictl[gpu]', or pass --device cpu",
        )
    wanted = ["CPUExecutionProvider"] if device == "cpu" else ["CUDAExecutionProvider", "CPUExecutionProvider"]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads or 0
    try:
        return onnxruntime.InferenceSession(path, options, providers=[name for name in wanted if name in available])
    except NoKernel as error:
        raise MachineLacks(
            f"onnxruntime cannot compute {path} here: {str(error).splitlines()[0]}",
            cure="a graph in bf16 needs a GPU: export it with --precision fp16, or fp32, for a processor",
        ) from error
    except Exception as error:  # onnxruntime's errors have no public base class of their own
        raise Damaged(f"{path} cannot be loaded: {str(error).splitlines()[0]}", cure=cure) from error
