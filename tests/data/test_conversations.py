"""Every published shape of conversation becomes the same messages."""

from __future__ import annotations

import pytest

from aictl.data.conversations import Unusable, alternating, conversation, is_conversation


def turns(*pairs):
    return [{"role": role, "content": content} for role, content in pairs]


HELLO = turns(("user", "Hi"), ("assistant", "Hello"))


@pytest.mark.parametrize(
    "record",
    [
        {"messages": HELLO},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}, HELLO[1]]},
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
        {"conversations": HELLO, "id": 3},
        {"instruction": "Hi", "input": "", "output": "Hello"},
        {"instruction": "Hi", "output": "Hello"},
        {"prompt": "Hi", "completion": "Hello"},
        {"prompt": "Hi", "response": "Hello"},
        {"prompt": HELLO[:1], "completion": HELLO[1:]},
        {"messages": [{"role": "assistant", "content": "Welcome"}, *HELLO, {"role": "user", "content": "Bye"}]},
    ],
)
def test_every_shape(record):
    assert is_conversation(record)
    assert conversation(record) == HELLO


def test_the_system_message_and_the_input_of_alpaca_are_kept():
    record = {"system": "Be kind", "instruction": "Add", "input": "1 2", "output": "3"}
    assert conversation(record) == turns(("system", "Be kind"), ("user", "Add\n\n1 2"), ("assistant", "3"))
    record = {"conversations": [{"from": "system", "value": "S"}, *({"from": "human", "value": "Hi"}, HELLO[1])]}
    assert conversation(record)[0] == {"role": "system", "content": "S"}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"messages": turns(("user", "Hi"))}, "no exchange"),
        ({"messages": turns(("assistant", "Hi"), ("user", "Hello"))}, "no exchange"),
        ({"messages": turns(("user", "Hi"), ("assistant", " "))}, "empty message"),
        ({"messages": turns(("user", "Hi"), ("tool", "x"), ("assistant", "y"))}, "unknown role"),
        ({"messages": turns(("user", 3), ("assistant", "y"))}, "not a string"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}, HELLO[1]]}, "not only text"),
        ({"messages": [HELLO[0], {"role": "assistant", "content": None, "tool_calls": [{}]}]}, "not only text"),
        ({"messages": []}, "not a conversation"),
        ({"question": "Hi"}, "not a conversation"),
        (["Hi", "Hello"], "not a JSON object"),
    ],
)
def test_what_is_no_exchange_of_text_says_why(record, reason):
    with pytest.raises(Unusable) as caught:
        conversation(record)
    assert caught.value.reason == reason


def test_turns_without_names_alternate():
    assert alternating(["Hi", "Hello", "left over"]) == HELLO
    with pytest.raises(Unusable):
        alternating(["Hi"])
