"""Conversations in the YAML of chatterbot-corpus: lists of turns that alternate, the user's first.

    categories: [food]
    conversations:
    - - What do you eat?
      - I eat electricity.

The file is read as a tree of plain strings: no tag is obeyed, and ``No`` stays ``No``.
"""

from __future__ import annotations

import re
from typing import Any

from aictl.core import extras
from aictl.data.conversations import Unusable, alternating
from aictl.data.decode import BROKEN, SNIFF_BYTES, open_bytes, whole_text
from aictl.data.documents import Document, HoldsNoDocuments, InputFile, Items, Reading, Rejected, Unreadable

_KEY = re.compile(r"^[\"']?conversations[\"']?\s*:", re.MULTILINE)


def is_corpus(file: InputFile) -> bool:
    """Whether a YAML file has a list called ``conversations``, looking at its beginning only."""
    try:
        with open_bytes(file) as stream:
            head = stream.read(SNIFF_BYTES)
    except (Unreadable, *BROKEN):
        return False
    return _KEY.search(head.decode("utf-8", "replace")) is not None


def read(file: InputFile, reading: Reading) -> Items:
    """Yield each conversation. Raises :class:`ExtraMissing` without pyyaml, and :class:`Unreadable`."""
    extras.require("data")
    import yaml

    try:
        tree = yaml.compose(whole_text(file), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        detail = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise Unreadable("broken YAML", detail, mark.line + 1 if mark else None) from None
    except (RecursionError, ValueError) as error:
        raise Unreadable("broken YAML", str(error)) from None
    conversations = _conversations(tree)
    if conversations is None:
        raise HoldsNoDocuments
    for node in conversations:
        source = f"{file.name}:{node.start_mark.line + 1}"
        try:
            yield Document(source, alternating(_turns(node)))
        except Unusable as error:
            yield Rejected(source, error.reason, error.detail)


def _conversations(tree: Any) -> list[Any] | None:
    if tree is not None and tree.id == "mapping":
        for key, value in tree.value:
            if key.id == "scalar" and key.value == "conversations" and value.id == "sequence":
                return value.value
    return None


def _turns(node: Any) -> list[str]:
    if node.id != "sequence":
        raise Unusable("not a conversation", "a list of turns is needed")
    return [_string(turn) for turn in node.value]


def _string(node: Any) -> str:
    if node.id == "scalar":
        return node.value
    # An unquoted "Remember: drink water" is a mapping to YAML, and was meant as a sentence.
    if node.id == "mapping" and len(node.value) == 1:
        key, value = node.value[0]
        if key.id == "scalar" and value.id == "scalar":
            return f"{key.value}: {value.value}"
    raise Unusable("not a string", f"a turn on line {node.start_mark.line + 1} is a {node.id}")
