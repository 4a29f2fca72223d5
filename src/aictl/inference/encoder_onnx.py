"""Networks on onnxruntime: ones that embed texts, that classify them and that rank them, ones that classify pictures
and find things in them, and one that embeds both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aictl.core.errors import BadInput
from aictl.inference.session import open_session

_TAKEN = ("input_ids", "attention_mask", "token_type_ids")
_POOLED = "sentence_embedding"


class _Session:
    """A graph, loaded."""

    def __init__(self, path: Path, threads: int | None = None, device: str = "auto") -> None:
        """Raises :class:`Damaged` if the file is no graph, :class:`BadInput` if it is one for something else,
        :class:`MachineLacks` for a device that is not there."""
        self._session = open_session(path, threads, device, cure="download it again, or give another")
        self._inputs = [node.name for node in self._session.get_inputs()]
        self._output = self._chosen(self._session.get_outputs())
        if self._output is None:
            gives = ", ".join(f"{one.name}{one.shape}" for one in self._session.get_outputs())
            raise BadInput(
                f"{path} is no {self._called}: it takes {', '.join(self._inputs)} and gives {gives}", cure=self._cure
            )

    _called = _cure = ""

    def _chosen(self, outputs: list[Any]) -> str | None:
        """The name of the output that is asked for; None for a graph for something else."""
        raise NotImplementedError

    def _run(self, given: dict[str, np.ndarray]) -> np.ndarray:
        (found,) = self._session.run([self._output], {name: given[name] for name in self._inputs})
        return found.astype(np.float32, copy=False)

    def _of_tokens(self, ids: np.ndarray, mask: np.ndarray, types: np.ndarray | None = None) -> np.ndarray:
        given = {"input_ids": ids, "attention_mask": mask}
        return self._run({**given, "token_type_ids": np.zeros_like(ids) if types is None else types})

    @property
    def _takes_tokens(self) -> bool:
        return set(self._inputs) <= set(_TAKEN) and "input_ids" in self._inputs


class OnnxNetwork(_Session):
    """A graph that takes token ids and their mask, and gives hidden states or the vector itself."""

    _called = "embedding model"
    _cure = "give one that takes tokens and gives their hidden states or a sentence_embedding"

    def _chosen(self, outputs: list[Any]) -> str | None:
        output = next((one for one in outputs if one.name == _POOLED), None)
        output = output or next((one for one in outputs if len(one.shape or ()) == 3), None)
        return output.name if output is not None and self._takes_tokens else None

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """See :class:`aictl.inference.embedding.Network`."""
        return self._of_tokens(ids, mask)


class OnnxClassifier(_Session):
    """A graph that takes token ids and their mask, and gives a score for each class."""

    _called = "text classifier"
    _cure = "give one that takes tokens and gives logits"

    def _chosen(self, outputs: list[Any]) -> str | None:
        return _logits(outputs) if self._takes_tokens else None

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Logits, float32 (texts, classes)."""
        return self._of_tokens(ids, mask)


class OnnxReranker(_Session):
    """A graph that takes the tokens of a question and a text, and gives one score."""

    _called = "reranker"
    _cure = "give one that takes tokens and gives one logit"

    def _chosen(self, outputs: list[Any]) -> str | None:
        return _logits([one for one in outputs if (one.shape or [0])[-1] == 1]) if self._takes_tokens else None

    def run(self, ids: np.ndarray, mask: np.ndarray, types: np.ndarray) -> np.ndarray:
        """See :class:`aictl.inference.reranking.PairNetwork`."""
        return self._of_tokens(ids, mask, types)


class OnnxImageClassifier(_Session):
    """A graph that takes pixels, and gives a score for each class of a picture."""

    _called = "image classifier"
    _cure = "give one that takes pixel_values and gives logits"

    def _chosen(self, outputs: list[Any]) -> str | None:
        return _logits(outputs) if self._inputs == ["pixel_values"] else None

    def run(self, pixels: np.ndarray) -> np.ndarray:
        """Logits, float32 (pictures, classes), of float32 (pictures, channels, height, width)."""
        return self._run({"pixel_values": pixels})


class OnnxDetector(_Session):
    """A graph that takes pixels, and gives classes and boxes."""

    _called = "detector"
    _cure = "give one that takes pixel_values and gives logits and pred_boxes"

    def _chosen(self, outputs: list[Any]) -> str | None:
        found = {one.name for one in outputs}
        takes_pixels = "pixel_values" in self._inputs and set(self._inputs) <= {"pixel_values", "pixel_mask"}
        return "logits" if takes_pixels and {"logits", "pred_boxes"} <= found else None

    def run(self, pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """See :class:`aictl.inference.detecting.DetectorNetwork`."""
        given = {"pixel_values": pixels, "pixel_mask": mask}
        found = self._session.run(["logits", "pred_boxes"], {name: given[name] for name in self._inputs})
        return np.concatenate(found, axis=-1).astype(np.float32, copy=False)


class OnnxDualEncoder:
    """Two graphs: one for texts, and one for pictures."""

    def __init__(self, folder: Path, threads: int | None = None, device: str = "auto") -> None:
        """Raises what loading a graph raises."""
        self._texts = _TextHalf(folder / "text.onnx", threads, device)
        self._pictures = _PictureHalf(folder / "image.onnx", threads, device)

    def texts(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """See :class:`aictl.inference.matching.Halves`."""
        return self._texts._of_tokens(ids, mask)

    def pictures(self, pixels: np.ndarray) -> np.ndarray:
        """See :class:`aictl.inference.matching.Halves`."""
        return self._pictures._run({"pixel_values": pixels})


class _TextHalf(_Session):
    _called = "text half of a dual encoder"
    _cure = "give one that takes tokens and gives text_embeds"

    def _chosen(self, outputs: list[Any]) -> str | None:
        return "text_embeds" if self._takes_tokens and "text_embeds" in {one.name for one in outputs} else None


class _PictureHalf(_Session):
    _called = "picture half of a dual encoder that takes pixels alone"
    _cure = "give one that takes pixel_values and gives image_embeds"

    def _chosen(self, outputs: list[Any]) -> str | None:
        gives = {one.name for one in outputs}
        return "image_embeds" if self._inputs == ["pixel_values"] and "image_embeds" in gives else None


def _logits(outputs: list[Any]) -> str | None:
    return next((one.name for one in outputs if one.name == "logits" and len(one.shape or ()) == 2), None)
