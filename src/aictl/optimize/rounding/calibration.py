"""A fused graph in full precision, run over text: what flows into its matrices, and what comes out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
import onnxruntime

Moments = npt.NDArray[np.float64]
Texts = Sequence[Sequence[int]]
"""Token ids, one sequence per text."""

_ERRORS_ONLY = 3


class Prober:
    """The model in ``folder``, with any of its tensors as outputs, and any of its weights as inputs."""

    def __init__(
        self, folder: Path, *, observed: Iterable[str] = (), replaceable: Iterable[str] = (), threads: int | None = None
    ) -> None:
        model = ir.load(folder / "model.onnx")
        tensors = {value.name: value for node in model.graph for value in node.outputs}
        model.graph.outputs.extend(tensors[name] for name in observed)
        model.graph.inputs.extend(model.graph.initializers[name] for name in replaceable)
        path = folder / "probed.onnx"  # beside the model, whose weights it reads
        ir.save(model, path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = threads or 0
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        finally:
            path.unlink()
        self._inputs = {node.name: node for node in self._session.get_inputs()}
        driving = json.loads((folder / "genai_config.json").read_text("utf-8"))
        self._head_width = int(driving["model"]["decoder"]["head_size"])

    def run(
        self, ids: Sequence[int], outputs: Sequence[str], weights: Mapping[str, npt.NDArray[np.float32]] | None = None
    ) -> list[npt.NDArray[np.float32]]:
        """The tensors named ``outputs`` for one text, with an empty cache and other ``weights`` where given."""
        given: dict[str, np.ndarray] = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, len(ids)), np.int64),
        }
        if "position_ids" in self._inputs:
            given["position_ids"] = np.arange(len(ids), dtype=np.int64)[None]
        for name, node in self._inputs.items():
            if name.startswith("past_key_values."):
                given[name] = np.empty((1, node.shape[1], 0, self._head_width), np.float32)
        values: list[npt.NDArray[np.float32]] = self._session.run(list(outputs), given | dict(weights or {}))
        return values


def moments(folder: Path, sources: Iterable[str], texts: Texts, *, threads: int | None = None) -> dict[str, Moments]:
    """The mean of x xᵀ over all tokens of ``texts``, for each tensor x that ``sources`` names, of
    shape (width, width)."""
    names = list(dict.fromkeys(sources))
    prober = Prober(folder, observed=names, threads=threads)
    sums: dict[str, Moments] = {}
    for ids in texts:
        for name, value in zip(names, prober.run(ids, names), strict=True):
            rows = value.reshape(-1, value.shape[-1])
            product = (rows.T @ rows).astype(np.float64)
            sums[name] = sums[name] + product if name in sums else product
    tokens = sum(len(ids) for ids in texts)
    return {name: total / tokens for name, total in sums.items()}
