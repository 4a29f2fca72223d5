"""A Hugging Face model folder with safetensors: its files, without whatever could run code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from transformers import CONFIG_MAPPING, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from aictl.artifacts.safetensors import read_header
from aictl.core.errors import BadInput, Damaged
from aictl.core.events import Events
from aictl.inference.quiet import quiet

INDEX = "model.safetensors.index.json"
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "chat_template.json",
)
OTHER_FILES = ("generation_config.json", INDEX)


def bring(source: Path, folder: Path, events: Events) -> dict[str, Any]:
    """Copy the model of ``source`` into ``folder`` and return what is known of it.

    Raises :class:`BadInput` for weights that are cut short, a configuration that needs code of its
    own or is no causal language model, and a missing tokenizer.
    """
    config = _read(source / "config.json")
    weights = _weights(source)
    dtypes = _check_weights(weights)
    config = portable_config(config, source / "config.json")
    task = "copy weights"
    events.started(task, sum(path.stat().st_size for path in weights), "bytes")
    done = 0
    for path in weights:
        shutil.copyfile(path, folder / path.name)
        done += path.stat().st_size
        events.advanced(task, done)
    events.finished(task)
    for name in (*TOKENIZER_FILES, *OTHER_FILES):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    for path in source.iterdir():
        if path.is_file() and path.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE")):
            shutil.copyfile(path, folder / path.name)
    write_json(folder / "config.json", config)
    _finish_tokenizer(folder)
    return {"format": "safetensors", "dtype": "+".join(sorted(dtypes)), "license": _license(source)}


def portable_config(config: dict[str, Any], where: Path) -> dict[str, Any]:
    """A ``config.json`` that every transformers reads alike and that asks for no foreign code.

    Raises :class:`BadInput` if the model cannot be loaded so.
    """
    kind = config.get("model_type")
    if kind not in CONFIG_MAPPING:
        if config.get("auto_map"):
            raise BadInput(
                f"{where}: model type '{kind}' needs Python code that comes with the model, and such code is never run",
                cure="take a version of the model for an architecture that transformers has itself",
            )
        raise BadInput(
            f"{where}: model type '{kind}' is not known to this transformers", cure="pip install -U transformers"
        )
    known = set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    if not known & set(config.get("architectures") or known):
        raise BadInput(
            f"{where}: {config['architectures'][0]} is no causal language model",
            cure="give a model that generates text",
        )
    if config.get("quantization_config"):
        method = config["quantization_config"].get("quant_method", "of some kind")
        raise BadInput(
            f"{where}: the weights are quantised ({method}), and only plain weights can be trained or exported",
            cure="take the unquantised version, or a GGUF; `aictl optimize quantize` makes it small again",
        )
    config = {name: value for name, value in config.items() if name != "auto_map"}
    rope = config.get("rope_parameters")
    if isinstance(rope, dict) and "rope_theta" in rope and "rope_theta" not in config:
        # transformers before 5 looks here and takes 10,000 without a word where it finds nothing.
        config["rope_theta"] = rope["rope_theta"]
    return config


def write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _weights(source: Path) -> list[Path]:
    if (source / INDEX).is_file():
        names = set(_read(source / INDEX).get("weight_map", {}).values())
        if lacking := sorted(name for name in names if "/" in name or not (source / name).is_file()):
            raise BadInput(f"{source / INDEX} names {lacking[0]}, which is not there", cure="download the model again")
        return sorted(source / name for name in names)
    return sorted(source.glob("*.safetensors"))


def _check_weights(weights: list[Path]) -> set[str]:
    """The number formats of the weights. A header that promises more than there is means that the
    file was cut short."""
    dtypes = set()
    for path in weights:
        try:
            dtypes |= {entry["dtype"] for entry in read_header(path).values()}
        except Damaged as error:
            raise BadInput(error.message, cure="download the model again") from error
    return dtypes


def _finish_tokenizer(folder: Path) -> None:
    """Make sure of a ``tokenizer.json``, built from older files where need be."""
    path = folder / "tokenizer_config.json"
    if path.is_file():
        config = _read(path)
        if config.pop("auto_map", None):
            write_json(path, config)
    if (folder / "tokenizer.json").is_file():
        return
    try:
        with quiet():
            AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False).save_pretrained(
                folder
            )
    except Exception as error:  # the converters raise whatever comes
        raise BadInput(
            f"no tokenizer can be made of the model's files: {error}", cure="add a tokenizer.json"
        ) from error
    if not (folder / "tokenizer.json").is_file():
        raise BadInput("the model's tokenizer has no fast form (tokenizer.json)", cure="add a tokenizer.json")


def _license(source: Path) -> str | None:
    """The licence that a model card states in its front matter."""
    card = source / "README.md"
    if not card.is_file():
        return None
    lines = card.read_text("utf-8", errors="replace").splitlines()
    if not lines or lines[0].strip() != "---":
        return None
    for line in lines[1:200]:
        if line.strip() == "---":
            break
        name, _, value = line.partition(":")
        if name == "license":
            return value.strip().strip("\"'") or None
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: {error}", cure="download the model again") from error
    if not isinstance(values, dict):
        raise BadInput(f"{path} is no JSON object", cure="download the model again")
    return values
