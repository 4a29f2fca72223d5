"""Pictures to classes: a model that was trained to classify pictures, on onnxruntime or transformers.

A folder has ``config.json``, which names the classes (``id2label``), ``preprocessor_config.json``, which says how a
picture becomes numbers, and ``model.onnx`` or safetensors, as transformers saves them. Pictures are made ready by
transformers' processors on Pillow; torchvision is not needed.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aictl.core.errors import BadInput, Damaged
from aictl.core.extras import require
from aictl.core.loading import loading

if TYPE_CHECKING:
    from aictl.inference.encoder_onnx import OnnxImageClassifier
    from aictl.inference.encoder_torch import TorchImageClassifier

GRAPH = "model.onnx"
BATCH_PICTURES = 32
MOST_PIXELS = 100_000_000  # of a picture, before it is made smaller: a file of a few kB can claim more than memory


class ImageClassifier:
    """A loaded classifier; ``classes`` are its names for what it tells apart."""

    def __init__(self, folder: Path, *, threads: int | None = None, device: str = "auto") -> None:
        """Raises :class:`ExtraMissing` without its runtime, :class:`MachineLacks` without the device,
        :class:`BadInput` for a folder that holds no classifier and :class:`Damaged` for files that cannot be
        loaded."""
        self.classes = image_classes(folder)
        require("train")  # of which the processors are, too
        require("images")
        self.network: OnnxImageClassifier | TorchImageClassifier
        if (folder / GRAPH).is_file():
            require("cpu")
            with loading():
                from aictl.inference.encoder_onnx import OnnxImageClassifier

            self.network = OnnxImageClassifier(folder / GRAPH, threads, device)
        else:
            with loading():
                from aictl.inference.encoder_torch import TorchImageClassifier

            self.network = TorchImageClassifier(folder, threads, device)
        self._prepare = processor(folder)

    def prepared(self, pictures: Sequence[bytes]) -> tuple[np.ndarray]:
        """What the network is run on for a batch of pictures' files. Raises what :meth:`classify` raises."""
        read = [opened(one, f"picture {at}") for at, one in enumerate(pictures)]
        return (pixels_of(self._prepare, read),)

    def classify(self, pictures: Sequence[bytes]) -> np.ndarray:
        """The probability of each class for each picture's file, float32 (pictures, classes); they sum to 1.

        Raises :class:`BadInput` for a file that is no picture, or one too large.
        """
        found: np.ndarray = np.zeros((len(pictures), len(self.classes)), np.float32)
        for begin in range(0, len(pictures), BATCH_PICTURES):
            some = pictures[begin : begin + BATCH_PICTURES]
            read = [opened(one, f"picture {begin + at}") for at, one in enumerate(some)]
            logits = self.network.run(pixels_of(self._prepare, read))
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            found[begin : begin + len(some)] = odds / odds.sum(axis=1, keepdims=True)
        return found


def image_classes(folder: Path) -> tuple[str, ...]:
    """The names of the classes in order. Raises :class:`BadInput` for a model that is no image classifier."""
    path = folder / "config.json"
    wanted = "one is a folder with config.json, preprocessor_config.json and safetensors or model.onnx"
    try:
        config = json.loads(path.read_text("utf-8"))
        names = {int(number): str(name) for number, name in config.get("id2label", {}).items()}
    except FileNotFoundError:
        raise BadInput(f"{folder} holds no classifier", cure=wanted) from None
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise Damaged(f"{path}: {error}") from error
    is_classifier = any(str(one).endswith("ForImageClassification") for one in config.get("architectures") or ())
    if not is_classifier or len(names) < 2 or sorted(names) != list(range(len(names))):
        raise BadInput(f"{path} is not that of an image classifier with two classes or more", cure=wanted)
    return tuple(names[number] for number in range(len(names)))


def pixels_of(prepare: Any, pictures: Sequence[Any]) -> np.ndarray:
    """Pillow's pictures as a processor prepares them: float32 (pictures, channels, height, width)."""
    return np.ascontiguousarray(prepare(list(pictures), return_tensors="np")["pixel_values"], np.float32)


def processor(folder: Path) -> Any:
    """What prepares pictures for the model in a folder. Raises :class:`BadInput` for a folder without its settings, and
    :class:`Damaged` for settings that cannot be read."""
    from transformers import AutoImageProcessor

    from aictl.inference.quiet import quiet

    if not (folder / "preprocessor_config.json").is_file():
        raise BadInput(
            f"{folder} has no preprocessor_config.json, which says how a picture becomes numbers",
            cure="save the model's image processor beside it: processor.save_pretrained(FOLDER)",
        )
    try:
        with quiet():
            return AutoImageProcessor.from_pretrained(
                folder, backend="pil", local_files_only=True, trust_remote_code=False
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{folder / 'preprocessor_config.json'} cannot be read: {error}") from error


def opened(data: bytes, called: str) -> Any:
    """A picture of Pillow's in RGB from its file. Raises :class:`BadInput` for one that is none, or too large."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise BadInput(f"{called} has {picture.width:,} x {picture.height:,} pixels: too many")
            return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInput(f"{called} cannot be read: {error}") from error
