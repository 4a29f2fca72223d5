"""Texts to vectors: a sentence-embedding model on onnxruntime or transformers, whatever its folder holds.

A folder has ``tokenizer.json`` and either an ONNX graph (``model.onnx``, or ``onnx/model.onnx``) or
``config.json`` with safetensors. How a text's tokens become one vector, how long a text may be and what
stands before it are read from the files that sentence-transformers writes, where they are there.

The same texts give the same vectors, however they are divided among calls up to the order in which a
batch is summed: batches are cut by length and number alone, never by time or threads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import tokenizers

from aictl.artifacts.pooling import FOLLOWED, Pooling, pooling_modes
from aictl.core.errors import BadInput, BadRequest, Damaged, NotFound
from aictl.core.extras import require
from aictl.core.loading import loading

BATCH_TEXTS = 32
BATCH_TOKENS = 8192  # padding included: what bounds the memory of a batch
USUAL_TOKENS = 512  # of a model that says nothing, as of BERT's


class Embedded(NamedTuple):
    """Unit vectors, float32 of shape (texts, width), and how many of the texts were cut."""

    vectors: np.ndarray
    truncated: int


class Network(Protocol):
    """What a runtime offers: the last hidden states of a padded batch, or a classifier's scores."""

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """float32 (texts, tokens, width), or (texts, width) where the network pools by itself or tells classes apart;
        ``ids`` and ``mask`` are int64 (texts, tokens)."""
        ...


class Embedder:
    """A loaded embedding model."""

    def __init__(self, network: Network, folder: Path) -> None:
        """Raises :class:`Damaged` for a tokenizer or settings that cannot be read."""
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises plain Exception
            raise Damaged(f"{folder / 'tokenizer.json'} cannot be read: {error}") from error
        self.network = network
        self.max_tokens = max_tokens(folder)
        self.pooling = pooling_of(folder)
        self._prefix = prefix_of(folder)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.max_tokens)

    def prepared(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """What the network is run on for a batch of texts: token ids and their mask."""
        return padded([one.ids for one in self._tokenizer.encode_batch([self._prefix + text for text in texts])])

    def encode(self, texts: Sequence[str], *, pooling: Literal["auto", "mean", "cls"] = "auto") -> Embedded:
        """Vectors of texts, in their order. ``pooling`` holds where the model names none of its own,
        and ``auto`` then means the mean."""
        how: Pooling = self.pooling or ("mean" if pooling == "auto" else pooling)
        encoded = self._tokenizer.encode_batch([self._prefix + text for text in texts])
        lengths = [len(one.ids) for one in encoded]
        vectors: np.ndarray | None = None
        for rows in batches(lengths):
            ids, mask = padded([encoded[row].ids for row in rows])
            found = _pooled(self.network.run(ids, mask), mask, how)
            if vectors is None:
                vectors = np.zeros((len(texts), found.shape[1]), np.float32)
            vectors[rows] = found
        cut = sum(bool(one.overflowing) for one in encoded)
        return Embedded(vectors if vectors is not None else np.zeros((0, 0), np.float32), cut)


def padded(rows: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Token ids, int64 of shape (rows, longest of them), with 0 after the end of each, and where there are any: 1."""
    width = max(1, *map(len, rows))
    ids: np.ndarray = np.zeros((len(rows), width), np.int64)
    mask = np.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
        mask[place, : len(row)] = 1
    return ids, mask


def batches(lengths: Sequence[int]) -> list[list[int]]:
    """Rows of like length together, so that little is padded."""
    order = sorted(range(len(lengths)), key=lambda row: (lengths[row], row))
    found: list[list[int]] = []
    for row in order:
        if not found or len(found[-1]) >= BATCH_TEXTS or (len(found[-1]) + 1) * lengths[row] > BATCH_TOKENS:
            found.append([])
        found[-1].append(row)
    return found


def _pooled(states: np.ndarray, mask: np.ndarray, pooling: Pooling) -> np.ndarray:
    """Unit vectors, one a text; a text of which nothing is left has the zero vector."""
    if states.ndim == 3 and pooling == "cls":
        states = states[:, 0]
    elif states.ndim == 3:
        weight: np.ndarray = mask[:, :, None].astype(np.float32)
        states = (states * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)
    length = np.linalg.norm(states, axis=1, keepdims=True)
    return (states / np.where(length > 0, length, 1)).astype(np.float32, copy=False)


def find_embedder(root: Path, called: str, wanted: str | None = None) -> Path:
    """The folder of the one model below ``root`` that can be an embedding model.

    ``wanted`` names its folder, or a file in it, where there are several. Raises :class:`BadInput`
    if there is none, :class:`BadRequest` if nobody says which, :class:`NotFound` if it is another.
    """
    if not root.is_dir():
        raise BadInput(f"{called} is a file, and an embedding model is a folder", cure="give the folder around it")
    folders = [path.parent for path in sorted(root.rglob("tokenizer.json")) if _graph(path.parent) or _weights(path)]
    if not folders:
        raise BadInput(
            f"{called} holds no embedding model",
            cure="one is tokenizer.json beside model.onnx, or beside config.json and safetensors",
        )
    names = [folder.relative_to(root).as_posix() for folder in folders]
    if wanted is not None:
        path = (root / wanted).resolve()
        folder = path.parent if path.is_file() else path
        found = next((one for one in folders if one.resolve() == folder), None)
        if found is None:
            raise NotFound(f"{called} holds no embedding model '{wanted}'", cure=f"there are {', '.join(names[:10])}")
        return found
    if len(folders) > 1:
        raise BadRequest(
            f"{called} holds {len(folders)} models: {', '.join(names[:10])}", cure=f"--embedder-file {names[0]}"
        )
    return folders[0]


def open_embedder(folder: Path, *, threads: int | None = None, device: str = "auto") -> Embedder:
    """Load the model in a folder, the ONNX graph where there is one.

    Raises :class:`ExtraMissing` without its runtime, :class:`MachineLacks` without the device,
    :class:`Damaged` for files that cannot be loaded, :class:`BadInput` for a network that is no
    embedding model.
    """
    graph = _graph(folder)
    network: Network
    if graph is not None:
        require("cpu")
        with loading():
            from aictl.inference.encoder_onnx import OnnxNetwork

        network = OnnxNetwork(graph, threads, device)
    else:
        require("train")
        with loading():
            from aictl.inference.encoder_torch import TorchNetwork

        network = TorchNetwork(folder, threads, device)
    return Embedder(network, folder)


def _graph(folder: Path) -> Path | None:
    return next((path for name in ("model.onnx", "onnx/model.onnx") if (path := folder / name).is_file()), None)


def _weights(tokenizer: Path) -> bool:
    return (tokenizer.parent / "config.json").is_file() and any(tokenizer.parent.glob("*.safetensors"))


def max_tokens(folder: Path) -> int:
    """The longest text by what sentence-transformers was told, or what the network has positions for."""
    said = _read(folder / "sentence_bert_config.json").get("max_seq_length")
    limits = [said, _read(folder / "config.json").get("max_position_embeddings")]
    limits.append(_read(folder / "tokenizer_config.json").get("model_max_length"))
    known = [int(one) for one in limits if isinstance(one, int | float) and 1 < one < 10**6]
    return min(known) if known else USUAL_TOKENS


def pooling_of(folder: Path) -> Pooling | None:
    """How a model makes one vector of a text's, where its files say so. Raises :class:`BadInput` for a way that is
    not known here."""
    chosen = pooling_modes(_read(folder / "1_Pooling" / "config.json"))
    if not chosen:
        return None
    if len(chosen) > 1 or chosen[0] not in FOLLOWED:
        raise BadInput(f"{folder / '1_Pooling/config.json'}: {', '.join(chosen)} is not known", cure="mean, or cls")
    return FOLLOWED[chosen[0]]


def prefix_of(folder: Path) -> str:
    """What stands before every text that a model embeds."""
    said = _read(folder / "config_sentence_transformers.json")
    prompts, name = said.get("prompts") or {}, said.get("default_prompt_name")
    return str(prompts.get(name) or "") if name else ""


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Damaged(f"{path}: {error}") from error
    return values if isinstance(values, dict) else {}
