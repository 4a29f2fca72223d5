"""Documents as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aictl.core.answer import Item, Passage
from aictl.data.looking.shards import Record

Marks = Sequence[tuple[int, int]]
SIDES, WAYS = ("input", "output"), ("chosen", "rejected")
CONTENT = frozenset(("text", "messages", *SIDES, "prompt", *WAYS, "source"))  # fields that every document of a kind has


def item(document: Record, marks: Sequence[Marks] = ()) -> Item:
    """A document with its whole text. ``marks`` are the places that stand out in each of its :func:`texts`."""
    texts, names = texts_of(document), labels_of(document)
    marks = marks or [()] * len(texts)
    passages = [Passage(text, name, places) for text, name, places in zip(texts, names, marks, strict=True)]
    return Item(document, document["source"], about(document), passages)


def texts_of(document: Record) -> list[str]:
    """The text of a document, what is said in each turn of a conversation or a preference and on each side of a pair,
    or what the file of a picture is called, and what is seen in it."""
    return [text for _, text in _parts(document)]


def labels_of(document: Record) -> list[str]:
    """Who says each of the texts, or what it is; nothing where there is one text."""
    return [name for name, _ in _parts(document)]


def _parts(document: Record) -> list[tuple[str, str]]:
    if "image" in document:
        caption = [("caption", document["caption"])] if isinstance(document.get("caption"), str) else []
        return [("", document["image"]), *caption]
    if "messages" in document:
        return [(turn["role"], turn["content"]) for turn in document["messages"]]
    if "chosen" in document:
        ways = [(f"{name}: {turn['role']}", turn["content"]) for name in WAYS for turn in document[name]]
        return [*((turn["role"], turn["content"]) for turn in document["prompt"]), *ways]
    return [(name, document[name]) for name in SIDES] if "input" in document else [("", document["text"])]


def about(document: Record) -> str:
    """What there is to say of a document in a few words: its length, and whatever fields it has beside its text; of a
    picture its label and its size."""
    if "image" in document:
        return _about_picture(document)
    texts = texts_of(document)
    said = [f"{len(texts)} turns"] if "messages" in document or "chosen" in document else []
    said.append(f"{sum(map(len, texts)):,} characters")
    said += [f"{name}: {shown(value)}" for name, value in document.items() if name not in CONTENT and value is not None]
    return " · ".join(said)


def _about_picture(document: Record) -> str:
    said = [f"label: {shown(document['label'])}"] if document.get("label") is not None else []
    if "width" in document:
        said.append(f"{document['width']:,} x {document.get('height'):,} pixels")
    said += [str(document[name]) for name in ("mode",) if name in document]
    if "boxes" in document:
        said.append(f"{len(document['boxes'])} boxes")
    return " · ".join([*said, f"{document['size_bytes']:,} bytes"])


def shown(value: Any, most: int = 40) -> str:
    """A value in a few letters."""
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
