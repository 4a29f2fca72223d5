"""How a request is answered: OpenAI's objects for whole answers and for pieces of a stream."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from aictl.inference.generator import FinishReason


@dataclass
class Usage:
    """Tokens of one request, as far as it has come."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def body(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }


@dataclass
class Reply:
    """The objects of one answer, which share an id and a time."""

    call: Literal["chat", "text"]
    model: str
    usage_in_stream: bool = False
    created: int = field(default_factory=lambda: int(time.time()))
    id: str = ""

    def __post_init__(self) -> None:
        self.id = ("chatcmpl-" if self.call == "chat" else "cmpl-") + secrets.token_hex(12)

    def whole(self, text: str, finish_reason: FinishReason, usage: Usage) -> dict[str, Any]:
        """The answer at once."""
        if self.call == "chat":
            said = {"message": {"role": "assistant", "content": text, "refusal": None}}
            return {**self._head("chat.completion", said, finish_reason), "usage": usage.body()}
        return {**self._head("text_completion", {"text": text}, finish_reason), "usage": usage.body()}

    def opening(self) -> dict[str, Any] | None:
        """What a stream begins with: who speaks, in a chat."""
        if self.call == "chat":
            return self._piece({"delta": {"role": "assistant", "content": "", "refusal": None}}, None)
        return None

    def piece(self, text: str, finish_reason: FinishReason | None) -> dict[str, Any]:
        """A part of the answer, or with a finish reason its end."""
        if self.call == "chat":
            return self._piece({"delta": {"content": text} if text else {}}, finish_reason)
        return self._piece({"text": text}, finish_reason)

    def closing(self, usage: Usage) -> dict[str, Any]:
        """The last piece of a stream, for those who asked for it."""
        return {**self._piece({}, None), "choices": [], "usage": usage.body()}

    def _piece(self, said: dict[str, Any], finish_reason: FinishReason | None) -> dict[str, Any]:
        body = self._head("chat.completion.chunk" if self.call == "chat" else "text_completion", said, finish_reason)
        return {**body, "usage": None} if self.usage_in_stream else body

    def _head(self, kind: str, said: dict[str, Any], finish_reason: FinishReason | None) -> dict[str, Any]:
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": finish_reason}
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": [choice]}


def encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def event(value: Any) -> bytes:
    """One server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    return b"data: " + encoded(value) + b"\n\n"


DONE = b"data: [DONE]\n\n"
