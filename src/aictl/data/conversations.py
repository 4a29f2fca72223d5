"""The shapes in which conversations are published, all turned into messages.

messages            {"messages": [{"role": "user", "content": "..."}]}           OpenAI, TRL
ShareGPT            {"conversations": [{"from": "human", "value": "..."}]}       also role/content inside
Alpaca              {"instruction": "...", "input": "...", "output": "..."}
prompt, completion  {"prompt": "...", "completion": "..."}, strings or messages  TRL
"""

from __future__ import annotations

from typing import Any

from aictl.data.documents import Message

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
}
_ANSWERS = ("completion", "response", "chosen")
# Every field of the shapes above, for what is read by columns.
FIELDS = ("messages", "conversations", "system", "instruction", "input", "output", "prompt", *_ANSWERS)


class Unusable(ValueError):
    """A record that is no conversation: the reason that is counted, and a detail."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def is_conversation(record: Any) -> bool:
    """Whether a record has one of the shapes above, whatever its content."""
    if not isinstance(record, dict):
        return False
    turns = record.get("messages", record.get("conversations"))
    if isinstance(turns, list):
        return bool(turns) and all(isinstance(turn, dict) for turn in turns)
    return ("instruction" in record and "output" in record) or (
        "prompt" in record and any(name in record for name in _ANSWERS)
    )


def conversation(record: Any) -> list[Message]:
    """The messages of a record, from the user's first to the assistant's last, after a system
    message if it has one. Raises :class:`Unusable`."""
    if not isinstance(record, dict):
        raise Unusable("not a JSON object", type(record).__name__)
    if not is_conversation(record):
        named = ", ".join(sorted(map(str, record))[:8]) or "no fields"
        raise Unusable(
            "not a conversation", f"found {named}; known are messages, conversations, instruction and prompt"
        )
    turns = record.get("messages", record.get("conversations"))
    if isinstance(turns, list):
        messages = messages_of(turns)
    elif "instruction" in record:
        asked = _string(record["instruction"], "instruction")
        more = _string(record.get("input") or "", "input")
        messages = [_of("user", f"{asked}\n\n{more}" if more.strip() else asked)]
        messages.append(_of("assistant", _string(record["output"], "output")))
    else:
        answer = next(record[name] for name in _ANSWERS if name in record)
        messages = [*_turns(record["prompt"], "user"), *_turns(answer, "assistant")]
    if isinstance(record.get("system"), str) and record["system"].strip() and messages[0]["role"] != "system":
        messages.insert(0, _of("system", record["system"]))
    return trimmed(messages)


def messages_of(turns: list[Any]) -> list[Message]:
    """Messages with known roles and text, of role and content or of from and value. Raises :class:`Unusable`."""
    return [_message(turn) for turn in turns]


def alternating(lines: list[str]) -> list[Message]:
    """Turns without names: the user speaks first, the assistant answers. Raises :class:`Unusable`."""
    return trimmed([_of("assistant" if number % 2 else "user", line) for number, line in enumerate(lines)])


def trimmed(messages: list[Message]) -> list[Message]:
    """Messages without what nobody asked or nobody answered: an assistant's opening before the
    user's first word, and the user's last words after the assistant's. Raises :class:`Unusable` if
    no exchange is left, or a message in it is empty."""
    system = messages[:1] if messages and messages[0]["role"] == "system" else []
    turns = messages[len(system) :]
    users = [index for index, one in enumerate(turns) if one["role"] == "user"]
    answers = [index for index, one in enumerate(turns) if one["role"] == "assistant"]
    if not users or not answers or answers[-1] < users[0]:
        raise Unusable("no exchange", "a user's message with an assistant's answer is needed")
    kept = turns[users[0] : answers[-1] + 1]
    if any(not one["content"].strip() for one in kept):
        raise Unusable("empty message")
    return system + kept


def _message(turn: Any) -> Message:
    if not isinstance(turn, dict):
        raise Unusable("not a conversation", f"a turn is of type {type(turn).__name__}")
    name = turn.get("role", turn.get("from"))
    role = _ROLES.get(str(name).lower())
    if role is None:
        raise Unusable("unknown role", f"{name!r}; known are {', '.join(sorted(set(_ROLES.values())))}")
    content = turn.get("content", turn.get("value"))
    if isinstance(content, list):  # parts: text is taken, and anything else makes it another kind of data
        if not all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
            raise Unusable("not only text", "a message holds images, audio or calls")
        content = "".join(part["text"] for part in content)
    if content is None and turn.get("tool_calls"):
        raise Unusable("not only text", "a message holds a call of a tool")
    return _of(role, _string(content, "content"))


def _turns(value: Any, role: str) -> list[Message]:
    if isinstance(value, list) and value and all(isinstance(turn, dict) for turn in value):
        return [_message(turn) for turn in value]
    return [_of(role, _string(value, role))]


def _string(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise Unusable("not a string", f"'{field}' is of type {type(value).__name__}")
    return value


def _of(role: str, content: str) -> Message:
    return {"role": role, "content": content}
