"""The one door through which an ONNX graph is opened."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

from aictl.artifacts.onnx_weights import require_whole
from aictl.core.errors import Damaged, MachineLacks

_ERRORS_ONLY = 3
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# What most of a network's time goes into. Onnxruntime puts shapes and the like on the processor by choice.
_HEAVY = frozenset({"MatMul", "Gemm", "Conv", "FusedMatMul", "FusedGemm", "FusedConv", "MatMulNBits", "MatMulInteger"})
_HEAVY |= {"QLinearConv", "QLinearMatMul", "Attention", "MultiHeadAttention", "GroupQueryAttention", "QGemm"}
_RECORDS = "session.record_ep_graph_assignment_info"


def open_session(
    path: Path, threads: int | None = None, device: str = "auto", *, cure: str | None = None
) -> onnxruntime.InferenceSession:
    """Load a graph; ``device`` is ``auto``, ``cpu`` or ``cuda``, ``cure`` what to do about a damaged one.

    Raises :class:`Damaged` if it is no whole graph or its weights are not where they should be (which is looked at
    before onnxruntime follows the paths in it), :class:`MachineLacks` for a device that this onnxruntime was not built
    for or does not use after all, and for numbers that it cannot reckon with there.
    """
    require_whole(path)
    available = onnxruntime.get_available_providers()
    if device == "cuda" and _CUDA not in available:
        raise MachineLacks(
            "this onnxruntime was built without CUDA",
            cure="pip uninstall onnxruntime onnxruntime-genai; pip install 'aictl[gpu]', or pass --device cpu",
        )
    wanted = [_CPU] if device == "cpu" else [_CUDA, _CPU]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads or 0
    if device == "cuda":
        options.add_session_config_entry(_RECORDS, "1")
    try:
        session = onnxruntime.InferenceSession(path, options, providers=[name for name in wanted if name in available])
    except NoKernel as error:
        raise MachineLacks(
            f"onnxruntime cannot compute {path} here: {str(error).splitlines()[0]}",
            cure="a graph in bf16 needs a GPU: export it with --precision fp16, or fp32, for a processor",
        ) from error
    except Exception as error:  # onnxruntime's errors have no public base class of their own
        raise Damaged(f"{path} cannot be loaded: {str(error).splitlines()[0]}", cure=cure) from error
    if device == "cuda":
        require_on(session, _CUDA)
    return session


def require_on(session: onnxruntime.InferenceSession, provider: str) -> None:
    """Raise :class:`MachineLacks` unless all that a network's time goes into is computed by ``provider``: onnxruntime
    leaves to the processor what it cannot place, and says nothing. The session has to record where it placed what."""
    if provider not in session.get_providers():
        raise MachineLacks(
            f"onnxruntime lists {provider} and could not load it", cure="`aictl hw doctor` says why; or --device cpu"
        )
    placed = [(part.ep_name, node.op_type) for part in session.get_provider_graph_assignment_info()
              for node in part.get_nodes() if node.op_type in _HEAVY]  # fmt: skip
    elsewhere = sorted({operator for where, operator in placed if where != provider})
    if elsewhere:
        count = sum(where != provider for where, _ in placed)
        raise MachineLacks(
            f"{count} of the {len(placed)} operators that take the time would not run on {provider}: "
            f"{', '.join(elsewhere)}",
            cure="pass --device cpu, or give a graph of operators that it has",
        )
