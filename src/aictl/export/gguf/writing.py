"""A checkpoint or adapter becomes a GGUF file that is known to agree with PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import gguf

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import require_capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.gguf import FILE, Gguf
from aictl.core.events import Events
from aictl.core.extras import require
from aictl.export.gguf import network, parity, tensors, tokens
from aictl.export.spec import GgufSpec, GgufType
from aictl.inference.checkpoints import load_merged
from aictl.inference.tokenizer import ModelTokenizer
from aictl.training.state import disk

_ADDED = (gguf.TokenType.CONTROL, gguf.TokenType.USER_DEFINED)


def export(model: Checkpoint | Adapter, spec: GgufSpec, folder: Path, scratch: Path, *, events: Events) -> Gguf:
    """Write the model as ``model.gguf`` into ``folder``, and read it back. PyTorch's logits lie in ``scratch``
    meanwhile.

    Raises :class:`WrongKind` for a model that is no language model or of an architecture that is not written,
    :class:`BadInput` for a tokenizer that llama.cpp cannot follow, :class:`GateMissed` if the logits differ from
    PyTorch's in float32 by more than ``spec.tolerance``, :class:`WorkFailed` if numbers do not fit into ``spec.type``
    or the file's tokens or weights are others, :class:`Damaged` if the model's files cannot be loaded,
    :class:`MachineLacks` for a disk that is full, :class:`ExtraMissing` for an adapter without peft.
    """
    require_capability(model.label, model.capability, "text-generation", command="export gguf")
    if isinstance(model, Adapter):
        require("finetune")
    base = model.base if isinstance(model, Adapter) else model
    base.check()
    network.require_known(model.label, base.config)
    tokenizer = ModelTokenizer(base.folder)
    vocabulary = tokens.read(base.folder, int(base.config["vocab_size"]))
    path = folder / FILE
    samples = parity.texts(scratch)
    events.started("load the model")
    module = load_merged(model)
    events.finished("load the model")
    parameters = sum(weight.numel() for weight in module.parameters())
    with disk(scratch):
        prompts = [tokenizer.encode(text)[: base.context_length] for text in samples]
        wanted = parity.references(module, prompts, scratch, events)
    with disk(path):
        license = base.metrics.get("license")
        rounded = _write(path, module, vocabulary, Stated(spec.type, license), events)
    del module  # both in memory at once would be twice as much as it takes
    added = [token for token, kind in zip(vocabulary.tokens, vocabulary.kinds, strict=True) if kind in _ADDED]
    compared = parity.require_same_tokens(path, tokenizer, samples, added)
    agreed = parity.compare(path, wanted, spec, events)
    return Gguf(
        folder,
        metrics={
            "parity": agreed,
            "same_tokens": compared,
            "parameters": parameters,
            "size_bytes": path.stat().st_size,
            "tensors": rounded,
        },
        summary=f"{parameters / 1e6:.3g}M parameters, {spec.type}, logits within {agreed['worst']:.1g} of PyTorch, "
        f"{agreed['same_choice']:.1%} of next tokens the same",
    )


class Stated(NamedTuple):
    """What the file says of itself beside what it holds."""

    type: GgufType
    license: str | None


def _write(path: Path, module: Any, vocabulary: tokens.Vocabulary, stated: Stated, events: Events) -> dict[str, int]:
    """Write the file, read its weights back, and return how many tensors it has of each number format."""
    config = module.config

    def tell(writer: gguf.GGUFWriter) -> None:
        writer.add_type(gguf.GGUFType.MODEL)
        if stated.license:
            writer.add_license(stated.license)
        writer.add_file_type(tensors.FILE_TYPES[stated.type])
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        network.write(writer, config)
        tokens.write(writer, vocabulary)

    found = tensors.tensors_of(module, config.model_type, stated.type)
    put = network.order(config.model_type, config)
    tensors.write(path, config.model_type, tell, found, put, events=events)
    tensors.require_rounded(path, found, put, events=events)
    kinds = [one.kind.name.lower() for one in found]
    return {kind: kinds.count(kind) for kind in sorted({*kinds})}
