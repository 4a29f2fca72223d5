"""The API over a real socket: answers, streams, bounds, and a client that goes away."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest


def events(text: str) -> list[object]:
    """The payloads of a stream of server-sent events."""
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def value(url: str, name: str) -> float:
    """One number of the server's metrics."""
    for line in httpx.get(f"{url}/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[-1])
    raise AssertionError(f"there is no {name}")


def until(condition, timeout_s: float = 20) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def test_a_chat_answer_has_openais_shape(http, ask):
    body = http.post("/v1/chat/completions", json=ask(temperature=0)).json()
    assert body["object"] == "chat.completion"
    assert body["model"] == "tiny"
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["role"] == "assistant"
    prompt = len("<|user|>hi<|assistant|>")  # a token is a byte
    assert body["usage"] == {"prompt_tokens": prompt, "completion_tokens": 4, "total_tokens": prompt + 4}


def test_a_stream_gives_the_same_text_as_the_whole_answer(http, ask):
    asked = ask(temperature=0, max_tokens=40)
    whole = http.post("/v1/chat/completions", json=asked).json()
    options = {"stream": True, "stream_options": {"include_usage": True}}
    reply = http.post("/v1/chat/completions", json={**asked, **options})
    assert reply.headers["content-type"].startswith("text/event-stream")
    first, *middle, last, usage = events(reply.text)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    text = "".join(chunk["choices"][0]["delta"]["content"] for chunk in middle)
    assert text == whole["choices"][0]["message"]["content"]
    assert last["choices"][0]["finish_reason"] == "length"
    assert usage["choices"] == [] and usage["usage"] == whole["usage"]
    assert len({chunk["id"] for chunk in (first, *middle, last, usage)}) == 1


def test_usage_is_in_a_stream_only_when_it_is_asked_for(http, ask):
    chunks = events(http.post("/v1/chat/completions", json=ask(stream=True)).text)
    assert not any("usage" in chunk for chunk in chunks)


def test_a_completion_takes_text_or_token_ids(http):
    asked = {"model": "tiny", "temperature": 0}
    bodies = [
        http.post("/v1/completions", json={**asked, "prompt": prompt}).json()
        for prompt in ("ab", ["ab"], [64, 65], [[64, 65]])
    ]
    ids = http.post("/v1/completions", json={**asked, "prompt": "ab"}).json()["usage"]
    assert ids == {"prompt_tokens": 2, "completion_tokens": 16, "total_tokens": 18}
    assert bodies[0]["object"] == "text_completion"
    assert bodies[0]["choices"][0]["text"] == bodies[1]["choices"][0]["text"]
    assert bodies[2]["choices"][0]["text"] == bodies[3]["choices"][0]["text"]
    streamed = events(http.post("/v1/completions", json={**asked, "prompt": "ab", "stream": True}).text)
    assert "".join(one["choices"][0]["text"] for one in streamed) == bodies[0]["choices"][0]["text"]


@pytest.mark.parametrize("as_list", [False, True])
def test_a_stop_text_ends_the_answer_before_it(http, ask, as_list):
    asked = ask(temperature=0, max_tokens=40)
    text = http.post("/v1/chat/completions", json=asked).json()["choices"][0]["message"]["content"]
    stop = text[10:12]
    body = http.post("/v1/chat/completions", json={**asked, "stop": [stop, "\n\n\n\n"] if as_list else stop}).json()
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["choices"][0]["message"]["content"] == text[: text.index(stop)]


def test_a_seed_repeats_a_sampled_answer(http, ask):
    def answer(seed: int) -> str:
        asked = ask(temperature=1.5, top_p=0.99, seed=seed, max_tokens=30)
        return http.post("/v1/chat/completions", json=asked).json()["choices"][0]["message"]["content"]

    assert answer(-7) == answer(-7)
    assert answer(-7) != answer(8)


def test_without_max_tokens_the_server_sets_a_bound(start, ask):
    asked = ask()
    del asked["max_tokens"]
    url = start(default_max_tokens=7)
    assert httpx.post(f"{url}/v1/chat/completions", json=asked).json()["usage"]["completion_tokens"] == 7
    newer = {**asked, "max_tokens": 1, "max_completion_tokens": 3}
    assert httpx.post(f"{url}/v1/chat/completions", json=newer).json()["usage"]["completion_tokens"] == 3


def test_a_prompt_that_fills_the_context_is_refused_by_name(http, ask):
    long = "x" * 3000
    for path, body in (
        ("chat/completions", ask(messages=[{"role": "user", "content": long}])),
        ("completions", {"model": "tiny", "prompt": long, "stream": True}),
    ):
        reply = http.post(f"/v1/{path}", json=body)
        assert reply.status_code == 400
        assert reply.json()["error"]["code"] == "context_length_exceeded"


def test_an_answer_ends_where_the_context_does(http):
    body = http.post("/v1/completions", json={"model": "tiny", "prompt": "x" * 2990, "max_tokens": 5000}).json()
    assert body["usage"]["completion_tokens"] == 10
    assert body["choices"][0]["finish_reason"] == "length"


def test_a_conversation_that_the_template_refuses_is_a_bad_request(http, ask):
    reply = http.post("/v1/chat/completions", json=ask(messages=[{"role": "assistant", "content": "hi"}]))
    assert reply.status_code == 400
    assert "a conversation begins with the user" in reply.json()["error"]["message"]


def test_more_than_the_queue_holds_is_turned_away(start, ask):
    url = start(max_concurrency=1, max_queue=1)
    asked = ask(max_tokens=2000)

    def post() -> httpx.Response:
        return httpx.post(f"{url}/v1/chat/completions", json=asked, timeout=60)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(post)
        until(lambda: value(url, "aictl_requests_running") == 1)
        second = threads.submit(post)
        until(lambda: value(url, "aictl_requests_waiting") == 1)
        refused = post()
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["error"]["code"] == "queue_full"
        assert first.result().status_code == second.result().status_code == 200


def test_several_generate_at_once_and_do_not_mix(start, ask):
    url = start(max_concurrency=4)
    prompts = [f"number {n}" for n in range(8)]

    def answer(prompt: str) -> str:
        asked = {"model": "tiny", "prompt": prompt, "temperature": 0, "max_tokens": 60}
        return httpx.post(f"{url}/v1/completions", json=asked, timeout=60).json()["choices"][0]["text"]

    alone = [answer(prompt) for prompt in prompts]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(answer, prompts)) == alone


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_frees_its_place(start, ask, stream):
    url = start(max_concurrency=1)
    address = httpx.URL(url)
    body = json.dumps(ask(max_tokens=2900, stream=stream)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection((address.host, address.port)) as client:
        client.sendall(head + body)
        until(lambda: value(url, "aictl_requests_running") == 1)
        if stream:
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
    until(lambda: value(url, "aictl_requests_running") == 0)
    counted = 'aictl_requests_total{endpoint="/v1/chat/completions",status="499"}'
    until(lambda: counted in httpx.get(f"{url}/metrics").text)
    assert value(url, "aictl_completion_tokens_total") < 2900


def test_who_waits_and_goes_away_leaves_the_queue(start, ask):
    url = start(max_concurrency=1)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(httpx.post, f"{url}/v1/chat/completions", json=ask(max_tokens=2000), timeout=60)
        until(lambda: value(url, "aictl_requests_running") == 1)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/v1/chat/completions", json=ask(), timeout=0.2)
        until(lambda: value(url, "aictl_requests_waiting") == 0)
        assert first.result().status_code == 200


def test_a_request_that_takes_too_long_times_out(start, ask):
    url = start(request_timeout_s=0.3)
    reply = httpx.post(f"{url}/v1/chat/completions", json=ask(max_tokens=2900), timeout=60)
    assert reply.status_code == 408
    assert reply.json()["error"]["code"] == "request_timeout"
    until(lambda: value(url, "aictl_requests_running") == 0)


def test_a_stream_that_takes_too_long_ends_with_an_error(start, ask):
    url = start(request_timeout_s=0.3)
    reply = httpx.post(f"{url}/v1/chat/completions", json=ask(max_tokens=2900, stream=True), timeout=60)
    assert reply.status_code == 200
    last = [line for line in reply.text.split("\n\n") if line][-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "request_timeout"


def test_a_body_that_never_comes_times_out(start):
    url = start(request_timeout_s=0.3)
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port)) as client:
        client.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        assert client.recv(1000).startswith(b"HTTP/1.1 408")


def test_health_answers_while_the_model_works(start, ask):
    url = start(max_concurrency=2)
    stop = threading.Event()

    def keep_busy() -> None:
        while not stop.is_set():
            httpx.post(f"{url}/v1/chat/completions", json=ask(max_tokens=500), timeout=60)

    with ThreadPoolExecutor(2) as threads:
        busy = [threads.submit(keep_busy) for _ in range(2)]
        until(lambda: value(url, "aictl_requests_running") == 2)
        assert all(httpx.get(f"{url}/healthz", timeout=5).status_code == 200 for _ in range(10))
        stop.set()
        for one in busy:
            one.result()


def test_metrics_count_tokens_and_times(start, ask):
    url = start()
    httpx.post(f"{url}/v1/chat/completions", json=ask())
    httpx.post(f"{url}/v1/chat/completions", content=b"{")
    text = httpx.get(f"{url}/metrics").text
    assert 'aictl_requests_total{endpoint="/v1/chat/completions",status="200"} 1.0' in text
    assert 'aictl_requests_total{endpoint="/v1/chat/completions",status="400"} 1.0' in text
    assert "aictl_completion_tokens_total 4.0" in text
    assert "aictl_request_seconds_count 1.0" in text
    assert "aictl_time_to_first_token_seconds_count 1.0" in text
    assert "# TYPE aictl_requests_running gauge" in text
