"""Bodies that are wrong get a 4xx that says what is, over the real server."""

from __future__ import annotations

import json

import pytest

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}
TEXT = {"model": "tiny", "prompt": "hi", "max_tokens": 2}

NO_JSON = {
    "empty": b"",
    "cut off": b'{"model": "tiny", "messages": [',
    "no object": b"[1, 2]",
    "a number": b"7",
    "nested deep": b'{"model": "tiny", "messages": ' + b"[" * 100_000,
    "nested and closed": b'{"messages":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "NaN": json.dumps({**CHAT, "temperature": float("nan")}).encode(),
    "NaN in a field that is passed over": b'{"x": NaN}',
    "infinity": b'{"model": "tiny", "messages": [{"role": "user", "content": "x"}], "temperature": 1e999}',
    "an endless integer": b'{"model": "tiny", "seed": ' + b"9" * 100_000 + b"}",
    "a large integer": b'{"model": "tiny", "prompt": "x", "messages": [], "max_tokens": -' + b"9" * 4000 + b"}",
    "invalid UTF-8": b'{"model": "tiny", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "half a surrogate pair": b'{"model": "\\ud800", "prompt": "x", "messages": []}',
    "UTF-16": json.dumps(CHAT).encode("utf-16"),
    "two objects": json.dumps(CHAT).encode() * 2,
    "a form": b"model=tiny&prompt=hi",
    "NUL bytes": b"\x00" * 1000,
}


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON.keys())
def test_a_malformed_body_is_the_clients_fault(http, path, body):
    reply = http.post(f"/v1/{path}", content=body)
    assert reply.status_code == 400, reply.text
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
    assert reply.json()["error"]["type"] == "invalid_request_error"


BAD_CHAT = [
    ("model", 7),
    ("model", None),
    ("messages", "hi"),
    ("messages", []),
    ("messages", None),
    ("messages[0]", "hi"),
    ("messages[0].role", "wizard"),
    ("messages[0].role", None),
    ("messages[0].content", 5),
    ("messages[0].content", [{"type": "image_url", "image_url": {"url": "x"}}]),
    ("messages[0].content", [{"type": "text"}]),
    ("max_tokens", 0),
    ("max_tokens", "4"),
    ("max_tokens", True),
    ("max_tokens", 1.5),
    ("max_completion_tokens", -1),
    ("temperature", -0.1),
    ("temperature", 2.1),
    ("temperature", "hot"),
    ("top_p", 0),
    ("top_p", 1.01),
    ("seed", 2**63),
    ("seed", 1.5),
    ("stop", 5),
    ("stop", ["a"] * 17),
    ("stop[1]", ["a", 5]),
    ("stream", "yes"),
    ("stream", 1),
    ("stream_options", 5),
    ("stream_options.include_usage", {"include_usage": "x"}),
    ("n", 2),
    ("n", True),
    ("presence_penalty", 0.5),
    ("logit_bias", {"5": 10}),
    ("tools", [{"type": "function", "function": {"name": "f"}}]),
    ("logprobs", True),
    ("response_format", {"type": "json_object"}),
]


@pytest.mark.parametrize(("param", "wrong"), BAD_CHAT, ids=lambda one: str(one)[:30])
def test_a_wrong_field_of_a_chat_is_named(http, param, wrong):
    body = json.loads(json.dumps(CHAT))
    if param.startswith("messages[0]."):
        body["messages"][0][param.partition(".")[2]] = wrong
    elif param == "messages[0]":
        body["messages"] = [wrong]
    else:
        body[param.partition("[")[0].partition(".")[0]] = wrong
    reply = http.post("/v1/chat/completions", json=body)
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["param"] == param
    assert f"'{param}'" in reply.json()["error"]["message"]


@pytest.mark.parametrize("missing", ["model", "messages"])
def test_a_missing_field_is_named(http, missing):
    reply = http.post("/v1/chat/completions", json={key: one for key, one in CHAT.items() if key != missing})
    error = reply.json()["error"]
    assert (reply.status_code, error["param"], error["code"]) == (400, missing, "missing_required_parameter")


@pytest.mark.parametrize(
    "prompt",
    [
        None,
        5,
        {},
        [],
        "",
        [[]],
        ["a", "b"],
        [[1], [2]],
        ["a", 1],
        [1, "a"],
        [1.5],
        [True],
        [-1],
        [10**6],
        [2**80],
        [[["a"]]],
    ],
    ids=str,
)
def test_a_wrong_prompt_is_named(http, prompt):
    reply = http.post("/v1/completions", json={**TEXT, "prompt": prompt})
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["param"] == "prompt"


@pytest.mark.parametrize("field", [{"suffix": "x"}, {"echo": True}, {"best_of": 2}, {"logprobs": 0}], ids=str)
def test_what_a_completion_cannot_honour_is_refused(http, field):
    reply = http.post("/v1/completions", json={**TEXT, **field})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "unsupported_parameter")


def test_what_asks_for_nothing_special_is_taken(http):
    usual = {"n": 1, "presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": {}, "stop": None, "seed": None}
    usual |= {"tools": [], "response_format": {"type": "text"}, "logprobs": False, "user": "me", "unheard_of": [1]}
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    messages = [{"role": "developer", "content": "be brief"}, {"role": "user", "content": parts}]
    assert http.post("/v1/chat/completions", json={**CHAT, **usual, "messages": messages}).status_code == 200


def test_an_unknown_model_is_not_found(http):
    reply = http.post("/v1/chat/completions", json={**CHAT, "model": "gpt-9" * 1000})
    assert reply.status_code == 404
    assert reply.json()["error"]["code"] == "model_not_found"
    assert len(reply.content) < 1000


def test_a_body_larger_than_the_bound_is_refused(start):
    import httpx

    url = start(max_body_bytes=1000)
    for size in (1001, 5_000_000):
        reply = httpx.post(f"{url}/v1/completions", content=b"x" * size)
        assert (reply.status_code, reply.json()["error"]["code"]) == (413, "request_too_large")
    chunks = (b"x" * 100_000 for _ in range(20))  # without a declared length
    assert httpx.post(f"{url}/v1/completions", content=chunks).status_code == 413
    exactly = json.dumps(TEXT).encode().ljust(1000)
    assert httpx.post(f"{url}/v1/completions", content=exactly).status_code == 200
