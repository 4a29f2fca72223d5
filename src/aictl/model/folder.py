"""A Hugging Face model folder with safetensors: its files, without whatever could run code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import transformers
from transformers import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from aictl.artifacts.capability import ABILITIES, capability_of
from aictl.core.errors import BadInput
from aictl.core.events import Events
from aictl.inference.quiet import quiet
from aictl.model import sentence, tokenizer
from aictl.model.intact import AGAIN, number_formats, one_line, read_json

INDEX = "model.safetensors.index.json"
OTHER_FILES = ("generation_config.json", INDEX)
PROCESSOR, PREPROCESSOR = "processor_config.json", "preprocessor_config.json"


def bring(source: Path, folder: Path, events: Events) -> dict[str, Any]:
    """Copy the model of ``source`` into ``folder`` and return what is known of it.

    Raises :class:`BadInput` for weights that are cut short, a configuration that needs code of its
    own or is of a model that nothing here can use, and what turns text or pictures into its input
    where that is missing.
    """
    beside = sentence.files(source)
    config = portable_config(read_json(source / "config.json"), source / "config.json", beside)
    capability = capability_of(config, beside)
    assert capability is not None
    weights = _weights(source)
    dtypes = number_formats(weights)
    reads = ABILITIES[capability].reads
    if "text" in reads:
        tokenizer.require(source)
    if "image" in reads:
        _require_processor(source)
    task = "copy weights"
    events.started(task, sum(path.stat().st_size for path in weights), "bytes")
    done = 0
    for path in weights:
        shutil.copyfile(path, folder / path.name)
        done += path.stat().st_size
        events.advanced(task, done)
    events.finished(task)
    for name in (*(tokenizer.FILES if "text" in reads else ()), *OTHER_FILES, *beside):
        if (source / name).is_file():
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(source / name, folder / name)
    for name in (PREPROCESSOR, PROCESSOR) if "image" in reads else ():
        if (source / name).is_file():
            write_json(folder / name, {k: value for k, value in read_json(source / name).items() if k != "auto_map"})
    for path in source.iterdir():
        if path.is_file() and path.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE")):
            shutil.copyfile(path, folder / path.name)
    write_json(folder / "config.json", config)
    if "text" in reads:
        tokenizer.finish(folder, source)
    return {"format": "safetensors", "dtype": "+".join(sorted(dtypes)), "license": _license(source)}


def portable_config(config: dict[str, Any], where: Path, files: Collection[str] = ()) -> dict[str, Any]:
    """A ``config.json`` that every transformers reads alike and that asks for no foreign code.

    ``files`` are those beside it that say what the model is for. Raises :class:`BadInput` if it cannot be loaded,
    or used for anything.
    """
    kind = config.get("model_type")
    if not isinstance(kind, str):
        raise BadInput(f"{where} names no model_type", cure=AGAIN)
    if kind not in CONFIG_MAPPING:
        if config.get("auto_map"):
            raise BadInput(
                f"{where}: model type '{kind}' needs Python code that comes with the model, and such code is never run",
                cure="take a version of the model for an architecture that transformers has itself",
            )
        raise BadInput(
            f"{where}: model type '{kind}' is not known to this transformers", cure="pip install -U transformers"
        )
    if not config.get("architectures") and kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        config = {**config, "architectures": [MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[kind]]}
    _require_use(config, kind, where, files)
    if stated := config.get("quantization_config"):
        method = stated.get("quant_method", "of some kind") if isinstance(stated, dict) else stated
        raise BadInput(
            f"{where}: the weights are quantised ({method}), and only plain weights can be trained or exported",
            cure="take the unquantised version, or a GGUF; `aictl optimize quantize` makes it small again",
        )
    config = {name: value for name, value in config.items() if name != "auto_map"}
    try:
        with quiet():
            CONFIG_MAPPING[kind].from_dict(dict(config))
    except Exception as error:  # whatever a configuration's own checks raise
        raise BadInput(f"{where} describes no {kind} model: {one_line(error)}", cure=AGAIN) from error
    rope = config.get("rope_parameters")
    if isinstance(rope, dict) and "rope_theta" in rope and "rope_theta" not in config:
        # transformers before 5 looks here and takes 10,000 without a word where it finds nothing.
        config["rope_theta"] = rope["rope_theta"]
    return config


def _require_use(config: dict[str, Any], kind: str, where: Path, files: Collection[str]) -> None:
    """Raise :class:`BadInput` unless the model is for something that is known here, and transformers has it so."""
    named = config.get("architectures")
    if named is not None and not (isinstance(named, list) and all(isinstance(one, str) for one in named)):
        raise BadInput(f"{where}: architectures is {named!r}, and a list of names is expected", cure=AGAIN)
    architecture = named[0] if named else f"a model of type {kind} that names no architecture"
    capability = capability_of(config, files)
    if capability is None:
        raise BadInput(
            f"{where}: what {architecture} is for is not known here", cure=f"give a model for {', '.join(ABILITIES)}"
        )
    auto_class = getattr(transformers, ABILITIES[capability].auto_class)
    if CONFIG_MAPPING[kind] not in auto_class._model_mapping:
        raise BadInput(
            f"{where}: this transformers has no {kind} model for {capability}", cure="pip install -U transformers"
        )


def _require_processor(source: Path) -> None:
    """Raise :class:`BadInput` for a folder that does not say how a picture becomes the network's input."""
    if (source / PREPROCESSOR).is_file():
        read_json(source / PREPROCESSOR)
    elif "image_processor" not in (read_json(source / PROCESSOR) if (source / PROCESSOR).is_file() else {}):
        raise BadInput(
            f"{source} does not say how a picture is prepared ({PREPROCESSOR})",
            cure=f"add the {PREPROCESSOR} of the model that this one was made from",
        )


def write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _weights(source: Path) -> list[Path]:
    if (source / INDEX).is_file():
        shards = read_json(source / INDEX).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise BadInput(f"{source / INDEX} names no weights", cure=AGAIN)
        names = set(map(str, shards.values()))
        if lacking := sorted(name for name in names if "/" in name or not (source / name).is_file()):
            raise BadInput(f"{source / INDEX} names {lacking[0]}, which is not there", cure=AGAIN)
        return sorted(source / name for name in names)
    return sorted(source.glob("*.safetensors"))


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
