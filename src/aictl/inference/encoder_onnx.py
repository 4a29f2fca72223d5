"""An embedding model's network on onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from aictl.core.errors import BadInput, Damaged, MachineLacks

_ERRORS_ONLY = 3
_TAKEN = ("input_ids", "attention_mask", "token_type_ids")
_POOLED = "sentence_embedding"


class OnnxNetwork:
    """A graph that takes token ids and their mask, and gives hidden states or the vector itself."""

    def __init__(self, path: Path, threads: int | None = None, device: str = "auto") -> None:
        """Raises :class:`Damaged` if the file is no graph, :class:`BadInput` if it embeds nothing,
        :class:`MachineLacks` for a device that is not there."""
        available = onnxruntime.get_available_providers()
        if device == "cuda" and "CUDAExecutionProvider" not in available:
            raise MachineLacks("this onnxruntime was built without CUDA", cure="pass --device cpu")
        wanted = ["CPUExecutionProvider"] if device == "cpu" else ["CUDAExecutionProvider", "CPUExecutionProvider"]
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = threads or 0
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=[x for x in wanted if x in available])
        except Exception as error:  # onnxruntime's errors have no public base class of their own
            raise Damaged(
                f"{path} cannot be loaded: {str(error).splitlines()[0]}", cure="download it again, or give another"
            ) from error
        self._inputs = [node.name for node in self._session.get_inputs()]
        outputs = self._session.get_outputs()
        output = next((one for one in outputs if one.name == _POOLED), None)
        output = output or next((one for one in outputs if len(one.shape or ()) == 3), None)
        if output is None or not set(self._inputs) <= set(_TAKEN) or "input_ids" not in self._inputs:
            raise BadInput(
                f"{path} is no embedding model: it takes {', '.join(self._inputs)} and gives "
                f"{', '.join(f'{one.name}{one.shape}' for one in outputs)}",
                cure="give one that takes tokens and gives their hidden states or a sentence_embedding",
            )
        self._output = output.name

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """See :class:`aictl.inference.embedding.Network`."""
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (found,) = self._session.run([self._output], {name: given[name] for name in self._inputs})
        return found.astype(np.float32, copy=False)
