"""Texts to classes: a model that was trained to classify texts, on onnxruntime or transformers.

A folder has ``tokenizer.json``, ``config.json``, which names the classes (``id2label``), and ``model.onnx`` or
safetensors, as transformers saves them. The same texts get the same probabilities, however they are divided among
calls up to the order in which a batch is summed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tokenizers

from aictl.core.errors import BadInput, Damaged
from aictl.core.extras import require
from aictl.core.loading import loading
from aictl.inference.embedding import Network, batches, max_tokens, padded

GRAPH = "model.onnx"


class Classified(NamedTuple):
    """Probabilities, float32 of shape (texts, classes), and how many of the texts were cut."""

    probabilities: np.ndarray
    truncated: int


class Classifier:
    """A loaded classifier; ``classes`` are its names for what it tells apart."""

    def __init__(self, folder: Path, *, threads: int | None = None, device: str = "auto") -> None:
        """Raises :class:`ExtraMissing` without its runtime, :class:`MachineLacks` without the device,
        :class:`BadInput` for a folder that holds no classifier and :class:`Damaged` for files that cannot be loaded."""
        self.classes, self._several = _classes(folder)
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises plain Exception
            raise Damaged(f"{folder / 'tokenizer.json'} cannot be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens(folder))
        self.network: Network = _network(folder, threads, device)

    def prepared(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """What the network is run on for a batch of texts: token ids and their mask."""
        return padded([one.ids for one in self._tokenizer.encode_batch(list(texts))])

    def classify(self, texts: Sequence[str]) -> Classified:
        """The probability of each class for each text. They sum to 1, unless the model was trained to find several
        classes in a text."""
        encoded = self._tokenizer.encode_batch(list(texts))
        found = np.zeros((len(texts), len(self.classes)), np.float32)
        for rows in batches([len(one.ids) for one in encoded]):
            ids, mask = padded([encoded[row].ids for row in rows])
            logits = self.network.run(ids, mask)
            found[rows] = 1 / (1 + np.exp(-logits)) if self._several else _softmax(logits)
        return Classified(found, sum(bool(one.overflowing) for one in encoded))


def _network(folder: Path, threads: int | None, device: str) -> Network:
    if (folder / GRAPH).is_file():
        require("cpu")
        with loading():
            from aictl.inference.encoder_onnx import OnnxClassifier

        return OnnxClassifier(folder / GRAPH, threads, device)
    require("train")
    with loading():
        from aictl.inference.encoder_torch import TorchClassifier

    return TorchClassifier(folder, threads, device)


def text_classes(folder: Path) -> tuple[str, ...]:
    """The names of a model's classes in order. Raises :class:`BadInput` for a folder that holds no classifier."""
    return _classes(folder)[0]


def _softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def _classes(folder: Path) -> tuple[tuple[str, ...], bool]:
    """The names of the classes in order, and whether a text may have several."""
    path = folder / "config.json"
    wanted = "one is a folder with tokenizer.json, config.json and safetensors or model.onnx"
    if not path.is_file() or not (folder / "tokenizer.json").is_file():
        raise BadInput(f"{folder} holds no classifier", cure=wanted)
    try:
        config = json.loads(path.read_text("utf-8"))
        names = {int(number): str(name) for number, name in config.get("id2label", {}).items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise Damaged(f"{path}: {error}") from error
    is_classifier = any(str(one).endswith("ForSequenceClassification") for one in config.get("architectures") or ())
    if not is_classifier or len(names) < 2 or sorted(names) != list(range(len(names))):
        raise BadInput(f"{path} is not that of a text classifier with two classes or more", cure=wanted)
    several = config.get("problem_type") == "multi_label_classification"
    return tuple(names[number] for number in range(len(names))), several
