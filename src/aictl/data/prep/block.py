"""Block: some hundred neighbouring documents on their way through the steps, and their text as arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from aictl.data.arrays.view import View
from aictl.data.documents import Content, Document, Image, Pair, Preference

CHARACTERS = 1 << 18  # of a block, or one longer document: its arrays then stay in a processor's cache


class Block:
    """Documents in order. A step gives back another block, of fewer documents or of changed ones."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents

    def __len__(self) -> int:
        return len(self.documents)

    @cached_property
    def texts(self) -> list[str]:
        """What stands in each document: of a conversation, a pair or a preference all that is said, a blank line
        between, of a picture nothing."""
        return [text_of(one.content) for one in self.documents]

    @cached_property
    def view(self) -> View:
        """The arrays of ``texts``."""
        return View(self.texts)

    @cached_property
    def sizes(self) -> list[int]:
        """Characters of each document, and of a picture bytes."""
        return [
            len(one.content.data) if isinstance(one.content, Image) else len(text)
            for one, text in zip(self.documents, self.texts, strict=True)
        ]

    @cached_property
    def characters(self) -> int:
        return sum(self.sizes)

    def without(self, dropped: Sequence[object]) -> Block:
        """The documents for which ``dropped`` has nothing."""
        if not any(dropped):
            return self
        return Block([one for one, out in zip(self.documents, dropped, strict=True) if not out])

    def rewritten(self, rewrite: Callable[[str], str]) -> tuple[Block, list[int]]:
        """The block with every text, or each part that is said, rewritten; and the places of the documents that
        changed."""
        changed, documents = [], list(self.documents)
        for place, one in enumerate(documents):
            content = rewritten(one.content, rewrite)
            if content != one.content:
                documents[place] = Document(one.source, content, one.url, one.label)
                changed.append(place)
        return (Block(documents) if changed else self), changed


def text_of(content: Content) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n\n".join([turn["content"] for turn in content])
    if isinstance(content, Pair):
        return f"{content.input}\n\n{content.output}"
    return text_of(content.turns) if isinstance(content, Preference) else ""


def rewritten(content: Content, rewrite: Callable[[str], str]) -> Content:
    """The same with each part that is said rewritten; a picture as it is."""
    if isinstance(content, str):
        return rewrite(content)
    if isinstance(content, list):
        return [{**turn, "content": rewrite(turn["content"])} for turn in content]
    if isinstance(content, Pair):
        return Pair(rewrite(content.input), rewrite(content.output))
    if isinstance(content, Preference):
        ways: Any = [rewritten(turns, rewrite) for turns in (content.prompt, content.chosen, content.rejected)]
        return Preference(*ways)
    return content
