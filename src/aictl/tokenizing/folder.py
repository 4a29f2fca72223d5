"""A tokenizer's folder, opened: what the library makes of it, and which token closes a document."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import tokenizers

from aictl.artifacts.tokenizer import CONFIG, FILE, read_json, special_tokens
from aictl.core.errors import BadInput, Damaged, NotFound

MODELS = ("BPE", "Unigram", "WordPiece", "WordLevel")


class TokenizerFolder:
    """``library`` is the tokenizer as ``tokenizers`` reads it, never padding or cutting, and taking text that
    merely looks like a special token for the text that it is; ``description`` is its ``tokenizer.json``."""

    def __init__(self, folder: Path) -> None:
        """Raises :class:`NotFound` without a ``tokenizer.json`` and :class:`Damaged` for one that is not whole
        or of a kind that nobody knows."""
        self.folder = folder
        path = folder / FILE
        if not path.is_file():
            raise NotFound(f"{folder} has no {FILE}", cure="give a tokenizer or a checkpoint")
        self.description = read_json(path)
        kind = _kind(self.description)
        if kind not in MODELS:
            raise Damaged(f"{path} names the model type {kind!r}; known are {', '.join(MODELS)}")
        try:
            self.library = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises plain Exception
            raise Damaged(f"{path} is no whole tokenizer: {error}") from error
        self.library.no_padding()
        self.library.no_truncation()
        self.library.encode_special_tokens = True
        self.config = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
        self.special = special_tokens(self.config)

    @cached_property
    def vocabulary(self) -> int:
        """One more than the largest id, which is how many rows a model's embedding needs."""
        return max(self.library.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    def id(self, role: str) -> int | None:
        """The id of the special token of a role such as ``pad_token``; None if it has none."""
        token = self.special.get(role)
        return None if token is None else self.library.token_to_id(token)

    @cached_property
    def end_id(self) -> int:
        """The token that closes a document. Raises :class:`BadInput` if there is none."""
        found = self.id("eos_token")
        if found is None:
            token = self.special.get("eos_token")
            what = f"names {token!r} as eos_token, which is no token" if token else "names no eos_token"
            raise BadInput(
                f"{self.folder / CONFIG} {what}, so nothing can close a document",
                cure="name one of its tokens as eos_token there, or give another tokenizer",
            )
        return found

    @cached_property
    def begin_ids(self) -> list[int]:
        """What the tokenizer puts before a text of its own accord: often a begin token, often nothing."""
        bare, framed = (self.library.encode("a", add_special_tokens=framed).ids for framed in (False, True))
        if bare:
            for start in range(len(framed) - len(bare) + 1):
                if framed[start : start + len(bare)] == bare:
                    return framed[:start]
        return []

    @cached_property
    def digest(self) -> str:
        """Hash of what decides over the ids of a packed document."""
        facts = json.dumps([self.description, self.begin_ids, self.end_id], sort_keys=True)
        return hashlib.sha256(facts.encode("utf-8", "surrogatepass")).hexdigest()


def write(library: tokenizers.Tokenizer, folder: Path, special: Mapping[str, str]) -> None:
    """Write ``tokenizer.json`` and a ``tokenizer_config.json`` with the special tokens by role, as
    ``AutoTokenizer`` loads them."""
    library.encode_special_tokens = False
    library.save(str(folder / FILE))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **special, "clean_up_tokenization_spaces": False}
    write_config(config, folder)


def write_config(config: Mapping[str, Any], folder: Path) -> None:
    """Write a ``tokenizer_config.json``."""
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", "utf-8")


def _kind(description: dict[str, Any]) -> str | None:
    model = description.get("model")
    if not isinstance(model, dict):
        return None
    # Files from before tokenizers 0.9 have no type, and were all BPE.
    return model.get("type", "BPE" if "merges" in model else None)
