"""Everything a model says of itself in its headers and configurations, as JSON values; nothing is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aictl.artifacts.adapter import Adapter
from aictl.artifacts.capability import ABILITIES
from aictl.artifacts.checkpoint import Checkpoint
from aictl.artifacts.engine import Engine
from aictl.artifacts.gguf import Gguf
from aictl.artifacts.model import Model, count_weights
from aictl.artifacts.onnx import OnnxModel
from aictl.artifacts.pooling import pooling_modes
from aictl.artifacts.safetensors import read_header
from aictl.artifacts.tokenizer import read_json, special_tokens
from aictl.core.errors import NotFound
from aictl.model.parts import parts

MOST_LABELS = 1000  # classes that are listed; a hostile configuration may name millions
# What a configuration calls the same thing in different families.
_SHAPE = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "hidden_size": ("hidden_size", "n_embd", "d_model", "dim"),
    "heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    "key_value_heads": ("num_key_value_heads",),
    "vocabulary": ("vocab_size",),
    "image_size": ("image_size",),
    "patch_size": ("patch_size",),
}


def facts_of(model: Model) -> dict[str, Any]:
    """What can be said of a model of any kind; what cannot be known is left out. Raises ``Damaged`` for files that
    cannot be read."""
    brief = model.brief()
    ability = ABILITIES[brief.capability] if brief.capability else None
    found: dict[str, Any] = {
        "can": brief.capability,
        "does": ability.does if ability else None,
        "architecture": brief.architecture,
        "parameters": brief.parameters,
        "precision": brief.precision,
        "context": brief.context,
        "base": brief.base,
    }
    if isinstance(model, Checkpoint):
        found |= _of_tensors(model.tensors()) | {"shape": _shape(model.config), "labels": _labels(model.config)}
    elif isinstance(model, Adapter):
        found |= _of_tensors(read_header(model.folder / "adapter_model.safetensors")) | {"adapter": _adapter(model)}
    elif isinstance(model, OnnxModel):
        found |= _of_graph(model)
    elif isinstance(model, Gguf):
        found |= _of_tensors(model.tensors()) | {"gguf": model.facts}
    elif isinstance(model, Engine):
        names = ("builder", "version", "targets", "max_batch", "max_sequence")
        found["engine"] = {name: model.facts[name] for name in names if name in model.facts}
    try:
        owner = model.base if isinstance(model, Adapter) else model
        found |= {"text": _text(owner.folder), "picture": _picture(owner.folder), "vector": _vector(owner.folder)}
    except NotFound:
        pass  # the base of an adapter was removed, and with it what it reads
    return {name: value for name, value in found.items() if value not in (None, {}, [])}


def _of_tensors(tensors: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "tensors": len(tensors),
        "dtypes": count_weights(tensors.values()),
        "parts": [part._asdict() for part in parts(tensors)],
    }


def _of_graph(model: OnnxModel) -> dict[str, Any]:
    header = model.header
    return {
        "layout": model.facts["layout"],
        "opset": header.opset,
        "dtypes": header.values,
        "operators": header.operators,
        "signature": header.signature.to_json(),
    }


def _shape(config: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes of the network; of one that reads both texts and pictures those of each half."""
    halves = {name: config[f"{name}_config"] for name in ("text", "vision") if config.get(f"{name}_config")}
    if halves and not any(name in config for name in _SHAPE["layers"]):
        return {name: _shape(half) for name, half in halves.items() if isinstance(half, dict)}
    found = {name: next((config[one] for one in words if one in config), None) for name, words in _SHAPE.items()}
    return {name: value for name, value in found.items() if value is not None}


def _labels(config: Mapping[str, Any]) -> list[str]:
    named = config.get("id2label")
    if not isinstance(named, Mapping):
        return []
    return [str(named[key]) for key in list(named)[:MOST_LABELS]]


def _adapter(model: Adapter) -> dict[str, Any]:
    names = ("peft_type", "task_type", "r", "lora_alpha", "lora_dropout", "target_modules", "use_rslora", "use_dora")
    return {name: model.config[name] for name in names if model.config.get(name) not in (None, False)}


def _text(folder: Path) -> dict[str, Any]:
    """How text becomes tokens: the tokenizer, its special tokens, and the chat template."""
    if not (folder / "tokenizer.json").is_file():
        return {}
    description = read_json(folder / "tokenizer.json")
    model = description.get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    learnt = model.get("vocab") if isinstance(model, dict) else None
    added = description.get("added_tokens") or []
    config = read_json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    older = folder / "special_tokens_map.json"
    special = {**(special_tokens(read_json(older)) if older.is_file() else {}), **special_tokens(config)}
    found: dict[str, Any] = {
        "tokenizer": kind,
        "tokens": len(learnt) if isinstance(learnt, dict | list) else None,
        "added_tokens": len(added) if isinstance(added, list) else None,
        "special_tokens": special,
        "longest": config.get("model_max_length"),
        "chat_template_characters": _template(folder, config),
    }
    return {name: value for name, value in found.items() if value not in (None, {})}


def _template(folder: Path, config: Mapping[str, Any]) -> int | None:
    beside = folder / "chat_template.jinja"
    if beside.is_file():
        return len(beside.read_text("utf-8", "replace"))
    stated = config.get("chat_template")
    return len(stated if isinstance(stated, str) else json.dumps(stated)) if stated else None


def _picture(folder: Path) -> dict[str, Any]:
    """How a picture becomes the network's input: a file of its own, or a part of the processor's."""
    alone, within = folder / "preprocessor_config.json", folder / "processor_config.json"
    if alone.is_file():
        stated = read_json(alone)
    else:
        inner = read_json(within).get("image_processor") if within.is_file() else None
        stated = inner if isinstance(inner, dict) else {}
    names = ("image_processor_type", "size", "crop_size", "image_mean", "image_std", "rescale_factor")
    return {name: stated[name] for name in names if stated.get(name) is not None}


def _vector(folder: Path) -> dict[str, Any]:
    """How the vectors of tokens become one, as sentence-transformers writes it down."""
    path = folder / "1_Pooling" / "config.json"
    if not path.is_file():
        return {}
    stated = read_json(path)
    longest = folder / "sentence_bert_config.json"
    found = {
        "width": stated.get("word_embedding_dimension") or stated.get("embedding_dimension"),
        "pooling": ", ".join(pooling_modes(stated)),
        "longest": read_json(longest).get("max_seq_length") if longest.is_file() else None,
    }
    return {name: value for name, value in found.items() if value}
