"""tokenizer: text to token ids and back, as transformers' ``AutoTokenizer`` loads it.

Files: ``tokenizer.json``, which says how a text is split and which pieces are tokens, and
``tokenizer_config.json``, which names the special tokens by their role. A checkpoint holds the same two.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from aictl.core.artifact import Artifact
from aictl.core.errors import Damaged

FILE = "tokenizer.json"
CONFIG = "tokenizer_config.json"
ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class Tokenizer(Artifact):
    """A vocabulary and how text is cut into it."""

    kind = "tokenizer"
    about = "text to token ids and back, as transformers loads it"

    @cached_property
    def tokens(self) -> frozenset[str]:
        """Every token as ``tokenizer.json`` spells it, the special ones among them."""
        path = self.folder / FILE
        description = read_json(path)
        try:
            vocabulary = description["model"]["vocab"]
            # A unigram model lists pairs of a token and its score; the others map a token to its id.
            learnt = vocabulary if isinstance(vocabulary, dict) else [token for token, _ in vocabulary]
            return frozenset([*learnt, *(token["content"] for token in description.get("added_tokens") or ())])
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged(f"{path} is no tokenizer: {error!r}") from error

    def check(self) -> None:
        if not self.tokens:
            raise Damaged(f"{self.folder / FILE} has an empty vocabulary")
        end = special_tokens(read_json(self.folder / CONFIG)).get("eos_token")
        if end not in self.tokens:
            what = "names no end token" if end is None else f"names {end!r} as end token, which is not in {FILE}"
            raise Damaged(f"{self.folder / CONFIG} {what}")


def special_tokens(config: dict[str, Any]) -> dict[str, str]:
    """Special tokens by their role, from a ``tokenizer_config.json``."""
    found = {}
    for role in ROLES:
        token = config.get(role)
        token = token.get("content") if isinstance(token, dict) else token
        if token is not None:
            found[role] = str(token)
    return found


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises :class:`Damaged` for anything else."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Damaged(f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise Damaged(f"{path} is no JSON object")
    return value
