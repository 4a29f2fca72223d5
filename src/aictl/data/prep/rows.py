"""Documents as the lines of a dataset say them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aictl.artifacts.dataset import Format
from aictl.data.documents import Content, Document, Image, Pair, Preference
from aictl.data.prep import looks
from aictl.data.prep.block import text_of

GROUPED = ("pair", "preference", "image")  # formats of which several documents may say something else of the same


def row_of(document: Document) -> dict[str, Any]:
    """A document as a line of a dataset says it."""
    row = _fields(document.content)
    if document.label:
        row["label"] = document.label
    row["source"] = document.source
    return row | {"url": document.url} if document.url else row


def _fields(content: Content) -> dict[str, Any]:
    if isinstance(content, str):
        return {"text": content}
    if isinstance(content, Image):
        return looks.row(content)
    if isinstance(content, Pair):
        return {"input": content.input, "output": content.output}
    if isinstance(content, Preference):
        return {"prompt": content.prompt, "chosen": content.chosen, "rejected": content.rejected}
    return {"messages": content}


def content_of(row: Mapping[str, Any], format: Format) -> str | Pair | Preference | list[dict[str, str]]:
    """What a line of a dataset of anything but pictures says. Raises ``KeyError`` where it does not."""
    if format == "text":
        text: str = row["text"]
        return text
    if format == "pair":
        return Pair(row["input"], row["output"])
    if format == "preference":
        return Preference(row["prompt"], row["chosen"], row["rejected"])
    messages: list[dict[str, str]] = row["messages"]
    return messages


def said_in(row: Mapping[str, Any], format: Format) -> str:
    """The text of a line as steps see it; nothing for a picture."""
    return "" if format == "image" else text_of(content_of(row, format))
