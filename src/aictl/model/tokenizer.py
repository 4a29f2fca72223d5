"""The tokenizer of a model that is brought in: there, whole, and in the form that runs anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import tokenizers
from transformers import AutoTokenizer

from aictl.core.errors import BadInput
from aictl.inference.quiet import quiet
from aictl.model.intact import AGAIN, one_line, read_json, require_content

FAST = "tokenizer.json"
CONFIG = "tokenizer_config.json"
# Forms from which the fast one can be made.
OLDER = ("tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "merges.txt")
BESIDE = (CONFIG, "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "chat_template.json")
FILES = (FAST, *OLDER, *BESIDE)
_FROM = f"add the {FAST} of the model that this one was made from, or of another version of it"


def require(source: Path) -> None:
    """Raise :class:`BadInput` for a folder without a tokenizer, or with one that cannot be read."""
    path = source / FAST
    if path.is_file():
        require_content(path)
        try:
            tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises plain Exception
            raise BadInput(f"{path} is no whole tokenizer: {one_line(error)}", cure=AGAIN) from error
    elif not _older(source):
        raise BadInput(f"{source} holds no tokenizer ({FAST})", cure=_FROM)
    if (source / CONFIG).is_file():
        read_json(source / CONFIG)


def finish(folder: Path, source: Path) -> None:
    """Make sure of a ``tokenizer.json`` in ``folder``, made from the older files of ``source`` that
    were copied there, and let nothing in its configuration ask for code."""
    path = folder / CONFIG
    if path.is_file():
        config = read_json(path)
        if config.pop("auto_map", None):
            path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", "utf-8")
    if (folder / FAST).is_file():
        return
    why = "it has no fast form"
    try:
        with quiet():
            made = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            made.save_pretrained(folder)
    except Exception as error:  # the converters raise whatever comes
        why = one_line(error)
    if not (folder / FAST).is_file():
        older = ", ".join(_older(source))
        raise BadInput(f"{source} has no {FAST}, and none can be made of its {older}: {why}", cure=_FROM)


def _older(folder: Path) -> list[str]:
    return [name for name in OLDER if (folder / name).is_file()]
