"""Pictures to boxes: a model that was trained to find things in pictures, on onnxruntime or transformers.

A folder has ``config.json``, which names the classes (``id2label``), ``preprocessor_config.json``, and ``model.onnx``
or safetensors, as transformers saves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from aictl.artifacts.checkpoint import Checkpoint
from aictl.core.errors import BadInput
from aictl.core.extras import require
from aictl.core.loading import loading
from aictl.inference.image_classifying import GRAPH, opened, processor

BOX = 4  # numbers of one: centre, width and height, in shares of the picture


class Detected(NamedTuple):
    """What is found in a picture: classes, int64 (boxes,); left, top, right and bottom in shares of the picture,
    float32 (boxes, 4); and how sure each is, float32 (boxes,)."""

    labels: np.ndarray
    corners: np.ndarray
    scores: np.ndarray


class DetectorNetwork(Protocol):
    """What a runtime offers."""

    def run(self, pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Logits and boxes side by side, float32 (pictures, boxes, logits + 4), of float32 (pictures, channels, height,
        width) and an int64 mask of what is no padding (pictures, height, width), which not every network reads."""
        ...


class Detector:
    """A loaded detector; ``classes`` are its names for what it finds."""

    def __init__(self, folder: Path, *, threads: int | None = None, device: str = "auto") -> None:
        """Raises :class:`ExtraMissing` without its runtime, :class:`MachineLacks` without the device,
        :class:`BadInput` for a folder that holds no detector and :class:`Damaged` for files that cannot be loaded."""
        self.classes = detected_classes(folder)
        require("train")  # of which the processors are, too
        require("images")
        self.network: DetectorNetwork
        if (folder / GRAPH).is_file():
            require("cpu")
            with loading():
                from aictl.inference.encoder_onnx import OnnxDetector

            self.network = OnnxDetector(folder / GRAPH, threads, device)
        else:
            with loading():
                from aictl.inference.encoder_torch import TorchDetector

            self.network = TorchDetector(folder, threads, device)
        self._prepare = processor(folder)

    def prepared(self, pictures: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """What the network is run on for a batch of pictures' files; where they differ in shape the smaller ones are
        padded. Raises :class:`BadInput` for a file that is no picture."""
        read = [opened(one, f"picture {at}") for at, one in enumerate(pictures)]
        made = self._prepare(read, return_tensors="np")
        pixels = np.ascontiguousarray(made["pixel_values"], np.float32)
        shape = (len(pixels), *pixels.shape[2:])
        return pixels, np.asarray(made.get("pixel_mask", np.ones(shape)), np.int64)

    def detect(self, pictures: Sequence[bytes]) -> list[Detected]:
        """All that the network puts out for each picture's file, however unsure. Each is looked at alone, so that none
        is padded. Raises :class:`BadInput` for a file that is no picture."""
        return [self._detected(self.network.run(*self.prepared([one]))[0]) for one in pictures]

    def _detected(self, found: np.ndarray) -> Detected:
        logits, boxes = found[:, :-BOX], found[:, -BOX:]
        if logits.shape[1] == len(self.classes) + 1:
            # The last class of a detector that puts out a set is "nothing" (https://arxiv.org/abs/2005.12872).
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            likely = (odds / odds.sum(axis=1, keepdims=True))[:, :-1]
        else:
            likely = (1 + np.tanh(logits / 2)) / 2  # the logistic function, which cannot overflow so
        centre, half = boxes[:, :2], boxes[:, 2:] / 2
        return Detected(likely.argmax(axis=1), np.hstack([centre - half, centre + half]), likely.max(axis=1))


def detected_classes(folder: Path) -> tuple[str, ...]:
    """The names of the classes in order. Raises :class:`BadInput` for a model that is no detector."""
    config = Checkpoint(folder).config
    names = {int(number): str(name) for number, name in (config.get("id2label") or {}).items()}
    is_detector = any(str(one).endswith("ForObjectDetection") for one in config.get("architectures") or ())
    if not is_detector or not names or sorted(names) != list(range(len(names))):
        raise BadInput(
            f"{folder / 'config.json'} is not that of a detector",
            cure="one is a folder with config.json, preprocessor_config.json and safetensors or model.onnx",
        )
    return tuple(names[number] for number in range(len(names)))
