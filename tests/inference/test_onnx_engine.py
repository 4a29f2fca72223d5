"""The cache of keys and values that an ONNX graph writes into."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from aictl.inference.onnx_engine import OnnxEngine


@pytest.mark.parametrize("graph", ["chat_onnx", "chat_fused"])
def test_what_lay_in_the_memory_before_does_not_matter(graph, request, monkeypatch):
    engine = OnnxEngine(request.getfixturevalue(graph), threads=1, device="cpu")

    def logits() -> np.ndarray:
        sequence = engine.open(100)
        parts = [range(40), [7], [8], range(30, 60)]
        return np.concatenate([sequence.append(list(part), every=True) for part in parts])

    def littered(shape, type, device, number):
        return onnxruntime.OrtValue.ortvalue_from_numpy(np.full(shape, np.nan, type), device, number)

    clean = logits()
    monkeypatch.setattr(onnxruntime.OrtValue, "ortvalue_from_shape_and_type", littered)
    assert np.isfinite(clean).all()
    assert np.array_equal(logits(), clean)
