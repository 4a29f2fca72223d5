"""A network's weights under llama.cpp's names, in its order, in the numbers that were asked for; one at a time, so
that no second copy of the network is held."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np

from aictl.artifacts.gguf import ROPE_FACTORS
from aictl.artifacts.gguf_header import read_header
from aictl.core.errors import WorkFailed
from aictl.core.events import Events
from aictl.export.gguf.network import rope_factors
from aictl.export.spec import GgufType

Order = Callable[[str, np.ndarray], np.ndarray]
_MOST_F16 = float(np.finfo(np.float16).max)
_F32 = gguf.GGMLQuantizationType.F32
NUMBERS: Mapping[GgufType, gguf.GGMLQuantizationType] = {
    "f32": _F32,
    "f16": gguf.GGMLQuantizationType.F16,
    "bf16": gguf.GGMLQuantizationType.BF16,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
}
FILE_TYPES: Mapping[GgufType, gguf.LlamaFileType] = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "bf16": gguf.LlamaFileType.MOSTLY_BF16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}


class Tensor(NamedTuple):
    """One tensor of the file: ``weights`` are transformers', and ``kind`` the numbers that they become."""

    name: str
    weights: np.ndarray
    kind: gguf.GGMLQuantizationType


def write(
    path: Path,
    architecture: str,
    tell: Callable[[gguf.GGUFWriter], None],
    tensors: list[Tensor],
    put: Order,
    *,
    events: Events,
) -> None:
    """Write a file: what ``tell`` tells the writer, then the tensors, their rows in the order into which ``put`` puts
    them. Raises :class:`WorkFailed` for one whose numbers are too large for what they become."""
    writer = gguf.GGUFWriter(path, architecture)
    try:
        tell(writer)
        for one in tensors:
            size = math.prod(gguf.quants.quant_shape_to_byte_shape(one.weights.shape, one.kind))
            writer.add_tensor_info(one.name, one.weights.shape, np.dtype(np.float32), size, raw_dtype=one.kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        task = "write the weights"
        events.started(task, total=len(tensors), unit="tensors")
        for done, one in enumerate(tensors, 1):
            weights = np.ascontiguousarray(put(one.name, one.weights), np.float32)
            writer.write_tensor_data(_rounded(one.name, weights, one.kind))
            events.advanced(task, done)
        events.finished(task)
    finally:
        writer.close()


def require_rounded(path: Path, tensors: list[Tensor], put: Order, *, events: Events) -> None:
    """Read every weight back from the file and hold it against the network's: none may be further off than its format
    rounds. Logits would not show a single wrong weight; this does. Raises :class:`WorkFailed`."""
    task = "read the weights back"
    events.started(task, total=len(tensors), unit="tensors")
    header, content = read_header(path), np.memmap(path, np.uint8, "r")
    found = {one.name: one for one in header.tensors}
    for done, one in enumerate(tensors, 1):
        begin = header.start + found[one.name].offset
        rows = content[begin : begin + found[one.name].size_bytes].reshape(*one.weights.shape[:-1], -1)
        wanted = np.ascontiguousarray(put(one.name, one.weights), np.float32)
        off = np.abs(gguf.quants.dequantize(rows, one.kind) - wanted) > _half_step(wanted, one.kind)
        if off.any():
            raise WorkFailed(f"{path}: {off.sum():,} of the weights of '{one.name}' are not those of the model")
        events.advanced(task, done)
    events.finished(task)


def _half_step(weights: np.ndarray, kind: gguf.GGMLQuantizationType) -> np.ndarray:
    """The most by which each weight may be off, broadcast to (..., width)."""
    if kind == NUMBERS["q8_0"]:
        blocks = np.abs(weights.reshape(*weights.shape[:-1], -1, 32)).max(axis=-1) / 127
        # Half a step; and the step itself is rounded to f16, by so much that 127 of them may be off.
        return np.repeat(blocks * (0.5 + 127 * 2.0**-11) + 127 * 2.0**-25, 32, axis=-1)
    # Of each number, and of those that are too small for all digits.
    halves = {_F32: (0.0, 0.0), NUMBERS["f16"]: (2.0**-11, 2.0**-25), NUMBERS["bf16"]: (2.0**-8, 2.0**-126)}
    relative, least = halves[kind]
    return np.abs(weights) * relative + least


def tensors_of(module: Any, architecture: str, type: GgufType) -> list[Tensor]:
    """Every tensor of a network, views of its weights: matrices in numbers of ``type``, vectors in float32. A matrix
    whose rows are no whole blocks of q8_0 stays in f16."""
    names = gguf.get_tensor_name_map(_architecture(architecture), module.config.num_hidden_layers)
    return list(_extra(module)) + [
        Tensor(name, weights, _kind(weights, NUMBERS[type])) for name, weights in _named(module, names)
    ]


def _architecture(name: str) -> gguf.MODEL_ARCH:
    return next(arch for arch, called in gguf.MODEL_ARCH_NAMES.items() if called == name)


def _extra(module: Any) -> Iterator[Tensor]:
    factors = rope_factors(module)
    if factors is not None:
        yield Tensor(ROPE_FACTORS, factors, _F32)


def _named(module: Any, names: gguf.TensorNameMap) -> Iterator[tuple[str, np.ndarray]]:
    tied = module.config.tie_word_embeddings
    for name, weights in module.state_dict().items():
        if tied and name == "lm_head.weight":
            continue  # llama.cpp takes the embedding where there is no other
        found = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise WorkFailed(f"llama.cpp has no name for '{name}' in this architecture", cure="aictl export onnx")
        yield found, weights.numpy()


def _kind(weights: np.ndarray, wanted: gguf.GGMLQuantizationType) -> gguf.GGMLQuantizationType:
    if weights.ndim < 2:
        return _F32
    block, _ = gguf.GGML_QUANT_SIZES[wanted]
    return wanted if weights.shape[-1] % block == 0 else gguf.GGMLQuantizationType.F16


def _rounded(name: str, weights: np.ndarray, kind: gguf.GGMLQuantizationType) -> np.ndarray:
    with np.errstate(over="ignore"):
        rounded = gguf.quants.quantize(weights, kind)
    # q8_0 keeps the scale of a block, a 127th of its largest number, in f16.
    largest = float(np.abs(weights).max()) / (127 if kind == NUMBERS["q8_0"] else 1)
    if kind in (NUMBERS["f16"], NUMBERS["q8_0"]) and not largest <= _MOST_F16:
        raise WorkFailed(
            f"'{name}' has numbers up to {np.abs(weights).max():.3g}, which do not fit into {kind.name.lower()}",
            cure="--type bf16",
        )
    return rounded
