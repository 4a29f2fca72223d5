"""Subject: a model that is evaluated, and what it can do by its own configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import Capability, capability_of, require_capability
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.onnx import OnnxModel
from aictl.core.artifact import Source
from aictl.core.errors import BadInput, BadRequest, Damaged

Ability = Literal[
    "language", "text classes", "image classes", "rewriting", "embedding", "reranking", "matching", "boxes"
]
CALLED: dict[Ability, str] = {
    "language": "a language model",
    "text classes": "a text classifier",
    "image classes": "an image classifier",
    "rewriting": "an encoder-decoder model",
    "embedding": "an embedding model",
    "reranking": "a reranker",
    "matching": "a dual encoder",
    "boxes": "a detector",
}
_OF_CAPABILITY: dict[Capability, Ability] = {
    "text-generation": "language",
    "text-classification": "text classes",
    "image-classification": "image classes",
    "embedding": "embedding",
    "reranking": "reranking",
    "image-text": "matching",
    "object-detection": "boxes",
    "text-to-text": "rewriting",
}
_GRAPHS = ("model.onnx", "onnx/model.onnx")


class Subject(NamedTuple):
    """A model: what people call it, what it can do, the folder with its configuration and tokenizer, and the artifact
    that loads as a language model. ``adapter`` is set where its weights are to be merged first."""

    label: str
    ability: Ability
    folder: Path
    artifact: Checkpoint | Adapter | OnnxModel
    adapter: Adapter | None
    kind: str
    id: str | None


def subject(model: Checkpoint | Adapter | OnnxModel | Source) -> Subject:
    """Raises :class:`BadInput` for what is no model that can be evaluated, :class:`BadRequest` for several."""
    if isinstance(model, Source):
        folder = _folder(model)
        stand_in = Checkpoint(folder, name=model.uri)
        return Subject(model.uri, _ability(folder, model.uri), folder, stand_in, None, "source", model.digest)
    id = model.record.id if model.record else None
    if isinstance(model, OnnxModel):
        return Subject(model.label, _of_graph(model), model.folder, model, None, model.kind, id)
    base = model.base if isinstance(model, Adapter) else model
    adapter = model if isinstance(model, Adapter) else None
    return Subject(model.label, _ability(base.folder, model.label), base.folder, model, adapter, model.kind, id)


def _of_graph(model: OnnxModel) -> Ability:
    require_capability(model.label, model.capability, *_OF_CAPABILITY, command="evaluate")
    assert model.capability is not None
    return _OF_CAPABILITY[model.capability]


def whole_folder(one: Subject, scratch: Path) -> Path:
    """A folder that loads as the model, its adapter merged into it in ``scratch`` if there is one."""
    if one.adapter is None:
        return one.folder
    from aictl.inference.checkpoints import write_merged

    folder = scratch / f"merged-{one.adapter.label}"
    if not (folder / "merged").exists():
        write_merged(one.adapter, folder)
        (folder / "merged").touch()
    return folder


def _folder(source: Source) -> Path:
    """The one folder of a source that holds a model."""
    root = source.path
    if root.is_file():
        raise BadInput(f"{source.uri} is a file, and a model is a folder", cure="give the folder around it")
    found = sorted(
        {path.parent for path in root.rglob("tokenizer.json")} | {p.parent for p in root.rglob("config.json")}
    )
    found = [one for one in found if _is_model(one)]
    if not found:
        raise BadInput(
            f"{source.uri} holds no model",
            cure="one is config.json beside safetensors, or tokenizer.json beside model.onnx",
        )
    if len(found) > 1:
        names = ", ".join(one.relative_to(root).as_posix() for one in found[:10])
        raise BadRequest(f"{source.uri} holds {len(found)} models: {names}", cure="give the folder of one of them")
    return found[0]


def _is_model(folder: Path) -> bool:
    weights = (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
    return weights or any((folder / name).is_file() for name in _GRAPHS)


def _ability(folder: Path, label: str) -> Ability:
    """By the architecture that the configuration names."""
    is_graph = any((folder / name).is_file() for name in _GRAPHS)
    config = {} if is_graph and not (folder / "config.json").is_file() else _config(folder)
    known = capability_of(config)
    if known in ("reranking", "image-classification", "image-text", "object-detection"):
        return _OF_CAPABILITY[known]
    names = [str(one) for one in config.get("architectures") or ()]
    if any(one.endswith("ForSequenceClassification") for one in names):
        return "text classes"
    if is_graph:
        return "embedding"
    if any(one.endswith(("ForCausalLM", "LMHeadModel")) for one in names):
        return "language"
    if config.get("is_encoder_decoder") and any(one.endswith(("ForConditionalGeneration", "MTModel")) for one in names):
        return "rewriting"
    if any(one.endswith(("Model", "ForMaskedLM")) for one in names) and not config.get("is_encoder_decoder"):
        return "embedding"
    said = ", ".join(names) or "no architecture"
    raise BadInput(
        f"'{label}' cannot be evaluated: its config.json names {said}",
        cure=f"give {', '.join(list(CALLED.values())[:-1])} or {list(CALLED.values())[-1]}",
    )


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Damaged(f"{path}: {error}") from error
    if not isinstance(values, dict):
        raise Damaged(f"{path} is no JSON object")
    return values
