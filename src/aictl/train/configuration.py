"""A model's shape from a file: any decoder that transformers knows, and no key that nothing reads."""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
from pathlib import Path
from typing import Any

from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING, PreTrainedConfig

from aictl.core.artifact import Source
from aictl.core.errors import BadInput, BadRequest
from aictl.tokenizing.folder import TokenizerFolder
from aictl.training.architectures import special_ids

NAME = "config.json"
MOST_BYTES = 2**20
# What transformers writes into its files, or takes under an older name, beside the fields of a configuration.
NOTES = {"architectures", "auto_map", "dtype", "model_type", "torch_dtype", "transformers_version", "_name_or_path"}
OLDER = {"rope_theta", "rope_scaling", "partial_rotary_factor", "rope_local_base_freq"}


def read(source: Source) -> dict[str, Any]:
    """The keys of a ``config.json`` of transformers, or of a small TOML or JSON file. Raises :class:`BadInput` for a
    file that is neither, and :class:`BadRequest` for keys that nothing reads or a model that is no decoder."""
    path = source.path / NAME if source.path.is_dir() else source.path
    values = _parsed(path, source.uri)
    kind = values.get("model_type")
    if kind not in CONFIG_MAPPING or CONFIG_MAPPING[kind] not in MODEL_FOR_CAUSAL_LM_MAPPING:
        what = (
            f"names the model_type {kind!r}, which is no decoder that transformers has" if kind else "has no model_type"
        )
        raise BadRequest(f"--config {source.uri} {what}", cure='name one, such as model_type = "llama"')
    _refuse_unread(values, CONFIG_MAPPING[kind], source.uri)
    return values


def complete(values: dict[str, Any], tokenizer: TokenizerFolder, context: int, called: str) -> PreTrainedConfig:
    """The configuration of ``values``, with what follows from the tokenizer filled in and checked, and a ``context``
    where it names none. Raises :class:`BadRequest` where it does not go with the tokenizer, or is not valid."""
    kind = CONFIG_MAPPING[values["model_type"]]
    given = {name: value for name, value in values.items() if name not in NOTES}
    if "vocab_size" in given and given["vocab_size"] < tokenizer.vocabulary:
        raise BadRequest(
            f"--config {called}: vocab_size {given['vocab_size']} is less than the tokenizer's {tokenizer.vocabulary}",
            cure="leave vocab_size out, or give the tokenizer it is of",
        )
    for name, found in special_ids(tokenizer).items():
        if given.get(name) is not None and given[name] != found:
            raise BadRequest(
                f"--config {called} has the {name} {given[name]}, and the tokenizer's is {found}",
                cure=f"leave {name} out, or give the tokenizer it is of",
            )
    filled = {"vocab_size": tokenizer.vocabulary, **given, **special_ids(tokenizer)}
    if not any(name in given for name in ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")):
        filled[kind.attribute_map.get("max_position_embeddings", "max_position_embeddings")] = context
    try:
        return kind(**filled)
    except Exception as error:  # each configuration has errors of its own
        raise BadRequest(f"--config {called}: {error}", cure="correct that key") from error


def context_of(values: dict[str, Any]) -> int | None:
    """The longest sequence that a file names."""
    found = values.get("max_position_embeddings") or values.get("n_positions")
    return int(found) if found else None


def _parsed(path: Path, called: str) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"is larger than {MOST_BYTES:,} bytes")
        text = path.read_text("utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("is no object with keys")
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"--config {called}: {error}", cure="give a config.json of transformers, or a .toml") from error
    return values


def _refuse_unread(values: dict[str, Any], kind: type[PreTrainedConfig], called: str) -> None:
    known = {field.name for field in dataclasses.fields(kind)} | set(kind.attribute_map) | NOTES | OLDER
    unread = sorted(set(values) - known)
    if not unread:
        return
    likely = difflib.get_close_matches(unread[0], known, n=1)
    raise BadRequest(
        f"--config {called}: a {values['model_type']} reads no {', '.join(unread)}",
        cure=f"did you mean {likely[0]}?" if likely else f"leave out {', '.join(unread)}",
    )
