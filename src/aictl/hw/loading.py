"""What really loads: asked of the libraries themselves, in a process that is not ours.

onnxruntime lists every provider that it was built with, also those whose libraries are not here; a
session then falls back to the processor without a word. So a session is opened with each.
"""

from __future__ import annotations

import json
import sys
from typing import Any

# A model of one operator, y = Identity(x): enough for a session to load its provider.
_FLOAT = 1
_IR_VERSION, _OPSET = 8, 13


def tell_providers() -> None:
    """Run beside us: which providers onnxruntime lists, and which of them a session has."""
    import onnxruntime

    # Only what the providers themselves say when they do not load is of use; it is in the exception.
    onnxruntime.set_default_logger_severity(4)
    model = identity()
    loaded, failed = [], {}
    listed = onnxruntime.get_available_providers()
    for name in listed:
        try:
            session = onnxruntime.InferenceSession(model, providers=[name])
            if name in session.get_providers():
                loaded.append(name)
            else:
                failed[name] = f"a session falls back to {session.get_providers()[0]}"
        except Exception as error:
            failed[name] = (str(error).strip().splitlines() or [type(error).__name__])[0]
    _say({"version": onnxruntime.__version__, "listed": listed, "loaded": loaded, "not_loaded": failed})


def tell_torch() -> None:
    """Run beside us: what torch's build finds on this machine."""
    import torch

    found: dict[str, Any] = {"cuda_available": torch.cuda.is_available()}
    found["architectures"] = torch.cuda.get_arch_list() if found["cuda_available"] else []
    found["devices"] = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    found["cudnn"] = torch.backends.cudnn.version() if found["cuda_available"] else None
    if torch.distributed.is_available():
        backends = {"gloo": torch.distributed.is_gloo_available(), "nccl": torch.distributed.is_nccl_available()}
        found["collectives"] = [name for name, there in backends.items() if there]
    if found["cuda_available"]:
        try:
            ones = torch.ones(8, device="cuda")
            found["computes"] = float((ones + ones).sum()) == 16.0
        except RuntimeError as error:
            found["computes"] = False
            found["error"] = str(error).strip().splitlines()[0]
    _say(found)


def identity() -> bytes:
    """The model as ONNX writes it: protocol buffers, put together by hand so that nothing but
    onnxruntime is needed (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto)."""
    shape = _message(1, _number(1, 1))
    kind = _message(1, _number(1, _FLOAT) + _message(2, shape))
    node = _text(1, "x") + _text(2, "y") + _text(4, "Identity")
    graph = (
        _message(1, node)
        + _text(2, "identity")
        + _message(11, _text(1, "x") + _message(2, kind))
        + _message(12, _text(1, "y") + _message(2, kind))
    )
    return _number(1, _IR_VERSION) + _message(7, graph) + _message(8, _text(1, "") + _number(2, _OPSET))


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3, value])  # both below 128: a byte each


def _message(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2, len(content)]) + content


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _say(found: dict[str, Any]) -> None:
    sys.stdout.write("\n" + json.dumps(found) + "\n")
