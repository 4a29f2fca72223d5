"""What a language model is asked to predict of a document, in stretches that its context holds.

Every token of a text is predicted once, the first one after the model's begin token, so that models with different
tokenizers predict the same bytes. Of a conversation it is the assistant's words, without the marks around them, each
after all that was said before. A text longer than a window is read in several, each of which keeps a quarter of its
room for what came before: nothing is predicted from nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aictl.core.errors import BadRequest
from aictl.inference.generator import Message, TextGenerator
from aictl.inference.scoring import Stretch

_KEPT = 4  # what came before has at least one part in so many of a window


class Asked(NamedTuple):
    """The stretches of one document, and how many bytes of UTF-8 their predicted tokens spell."""

    stretches: list[Stretch]
    size_bytes: int


def of_text(generator: TextGenerator, text: str, window: int) -> Asked:
    """All of a text; its first token only if the model has one to begin with."""
    ids = generator.encode(text)
    size = len(text.encode("utf-8", "surrogatepass"))
    if generator.begin_id is not None and ids and ids[0] != generator.begin_id:
        ids = [generator.begin_id, *ids]
    elif generator.begin_id is None and ids:
        size -= len(generator.decode(ids[:1]).encode("utf-8", "surrogatepass"))
    return Asked(list(cut(ids, 1, _room(generator, window))), size)


def of_conversation(generator: TextGenerator, messages: Sequence[Message], window: int) -> Asked:
    """The assistant's words, in the model's own chat format. Raises :class:`BadRequest` for a model that has none, or
    whose template refuses the conversation."""
    stretches: list[Stretch] = []
    size = 0
    for turn, message in enumerate(messages):
        if message["role"] != "assistant" or turn == 0 or not message["content"]:
            continue
        prompt = generator.render_chat(messages[:turn])
        before, ids = generator.encode(prompt), generator.encode(prompt + message["content"])
        # Where the answer begins may fall inside a token.
        stretches += cut(ids, max(1, common(before, ids)), _room(generator, window))
        size += len(message["content"].encode("utf-8", "surrogatepass"))
    return Asked(stretches, size)


def in_plain(messages: Sequence[Message]) -> str:
    """A conversation as a text, for models that know no chats: its turns, one a line."""
    return "\n".join(message["content"] for message in messages)


def text_of(document: Mapping[str, Any]) -> str:
    """What is read of a document where no chat format is: its text, or its conversation in plain words."""
    return document["text"] if "text" in document else in_plain(messages_of(document))


def knows_chats(generator: TextGenerator) -> bool:
    """Whether a model has a chat template."""
    try:
        generator.render_chat([{"role": "user", "content": "Hello"}])
    except BadRequest:
        return False
    return True


def messages_of(document: Mapping[str, Any]) -> list[Message]:
    """The conversation that a document is: its own, or of a pair its input and the answer to it."""
    if "messages" in document:
        return list(document["messages"])
    return [{"role": "user", "content": document["input"]}, {"role": "assistant", "content": document["output"]}]


def cut(ids: Sequence[int], start: int, size: int) -> Iterator[Stretch]:
    """Stretches of at most ``size`` tokens that together predict those from ``start`` on, once each."""
    at, end = start, len(ids)
    while at < end:
        # As much of what came before as there is room for, and always some.
        before = min(at, max(size - (end - at), size // _KEPT, 1))
        stop = min(end, at - before + size)
        yield Stretch(tuple(ids[at - before : stop]), before)
        at = stop


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the common beginning."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((number for number, (one, other) in pairs if one != other), min(len(first), len(second)))


def _room(generator: TextGenerator, window: int) -> int:
    return max(2, min(window, generator.context_length))
