"""onnxruntime as an engine: keys and values stay in the runtime's own buffers between steps.

Two kinds of graph are driven. One with GroupQueryAttention nodes writes new keys and values into
the buffer it reads the old ones from: one buffer per layer, bound once. One of standard operators
returns past and new together: what came out of one step is bound as the past of the next.

onnxruntime lets go of Python's global lock while it computes, so that generations from several
threads run side by side and a server stays responsive; onnxruntime-genai holds the lock
throughout, at the same cost per token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime

from aictl.artifacts.onnx import OnnxModel
from aictl.core.errors import Damaged
from aictl.inference.scoring import Scored, Stretch, one_by_one
from aictl.inference.session import open_session

_TYPES: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_BFLOAT16 = 16  # onnx.TensorProto.BFLOAT16: numpy has no such type, and keys and values never pass through it


class OnnxEngine:
    """An ONNX language model on the CPU or on an NVIDIA GPU.

    Sequences share the session: with one thread each runs on the thread that calls it; with more,
    all share one pool of ``threads``.
    """

    def __init__(self, model: OnnxModel, threads: int | None = None, device: str = "auto") -> None:
        """Raises :class:`Damaged` if the file is no model, :class:`MachineLacks` for a device that
        is not there."""
        self.session = open_session(
            model.model_path,
            threads,
            device,
            cure=f"aictl artifact check {model.label}; then make it again with --force",
        )
        self.device = "cuda" if "CUDAExecutionProvider" in self.session.get_providers() else "cpu"
        inputs = {node.name: node for node in self.session.get_inputs()}
        self.shared = bool(model.driving["search"]["past_present_share_buffer"])
        self.takes_positions = "position_ids" in inputs
        self.head_width = int(model.driving["model"]["decoder"]["head_size"])
        self.past = [node for name, node in inputs.items() if name.startswith("past_key_values.")]
        wanted = {"input_ids", "attention_mask"}
        if not wanted <= inputs.keys() or not self.past:
            raise Damaged(f"{model.model_path} is no language model with a cache: its inputs are {sorted(inputs)}")
        logits = next((node for node in self.session.get_outputs() if node.name == "logits"), None)
        if logits is None:
            raise Damaged(f"{model.model_path} is no language model: it puts out no logits")
        self.logits_type = _TYPES[logits.type]
        width = logits.shape[-1]  # a name where the graph leaves it open
        self.vocabulary = width if isinstance(width, int) else int(model.driving["model"]["vocab_size"])

    def open(self, capacity: int) -> OnnxSequence:
        return OnnxSequence(self, capacity)

    def score(self, stretches: Sequence[Stretch]) -> list[Scored]:
        return list(one_by_one(self, stretches))

    def close(self) -> None:
        del self.session


class OnnxSequence:
    """One sequence's keys and values, and the binding that runs the graph over them."""

    def __init__(self, engine: OnnxEngine, capacity: int) -> None:
        self._engine = engine
        self._length = 0
        self._binding = engine.session.io_binding()
        for node in engine.past:
            # (batch, key/value heads, tokens, width of a head), as GroupQueryAttention has it
            shape = (1, int(node.shape[1]), capacity if engine.shared else 0, engine.head_width)
            empty = _reserved(shape, _TYPES.get(node.type, _BFLOAT16), engine.device)
            self._binding.bind_ortvalue_input(node.name, empty)
            if engine.shared:
                self._binding.bind_ortvalue_output(_present(node.name), empty)

    def append(self, ids: Sequence[int], *, every: bool = False) -> np.ndarray:
        engine, binding, start = self._engine, self._binding, self._length
        self._length += len(ids)
        binding.bind_cpu_input("input_ids", np.array([ids], np.int64))
        binding.bind_cpu_input("attention_mask", np.ones((1, self._length), np.int64))
        if engine.takes_positions:
            binding.bind_cpu_input("position_ids", np.arange(start, self._length, dtype=np.int64)[None])
        if not engine.shared:
            for node in engine.past:
                binding.bind_output(_present(node.name), engine.device)
        # Written where it is read: asking the binding for its outputs wraps all of them, at 2% of a token's cost.
        logits = np.empty((1, len(ids), engine.vocabulary), engine.logits_type)
        binding.bind_output("logits", "cpu", 0, logits.dtype, logits.shape, logits.ctypes.data)
        engine.session.run_with_iobinding(binding)
        if not engine.shared:
            *present, _ = binding.get_outputs()  # logits were bound last, and come out last
            for node, value in zip(engine.past, present, strict=True):
                binding.bind_ortvalue_input(node.name, value)
        values: np.ndarray = logits[0].astype(np.float32, copy=False)
        return values if every else values[-1]


def _reserved(shape: tuple[int, ...], type: type[np.generic] | int, device: str) -> onnxruntime.OrtValue:
    """Room for keys or values. On the CPU it is not written, and so takes no memory and no time
    before there are tokens to fill it: a long ``max_tokens`` of which little is used costs nothing.
    A graph reads no further than its tokens reach."""
    if device == "cpu" or isinstance(type, int):
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, type, device, 0)
    return onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(shape, type), device, 0)


def _present(past: str) -> str:
    return past.replace("past_key_values.", "present.", 1)
