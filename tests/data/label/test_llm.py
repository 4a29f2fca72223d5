"""Functions that ask a language model: over real HTTP, from servers that answer well, badly and not at all."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from aictl.core.errors import BadRequest, NotFound, TryLater
from aictl.core.events import Events, Noted
from aictl.data.label import chat_client
from aictl.data.label.functions import open_functions

KEY = "sk-secret-key-of-the-test"
TABLE = "kind = 'llm'\nlabels = ['weather', 'alarm']"


class Endpoint:
    """An HTTP server on loopback; ``reply(text, number)`` gives (status, headers, body) of each question."""

    def __init__(self, reply: Callable[[str, int], tuple[int, dict[str, str], bytes]]) -> None:
        endpoint = self
        self.asked: list[dict] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with endpoint._lock:
                    endpoint.asked.append({"path": self.path, "headers": dict(self.headers), "body": body})
                    number = len(endpoint.asked)
                    endpoint._now += 1
                    endpoint.most_at_once = max(endpoint.most_at_once, endpoint._now)
                try:
                    status, headers, data = reply(body["messages"][-1]["content"], number)
                finally:
                    with endpoint._lock:
                        endpoint._now -= 1
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a client that hangs up is no error here
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def says(text: str) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


def fails(status: int, code: str = "", **headers: str) -> tuple[int, dict[str, str], bytes]:
    body = json.dumps({"error": {"message": f"about rain and {KEY}", "code": code}}).encode()
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, body


def sensible(text: str, number: int = 0) -> tuple[int, dict[str, str], bytes]:
    return says("weather" if "rain" in text else "alarm" if "alarm" in text else "none")


@pytest.fixture
def endpoint():
    started = []

    def start(reply=sensible) -> Endpoint:
        started.append(Endpoint(reply))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Short pauses between tries, and a key that must never be seen."""
    monkeypatch.setattr(chat_client, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def ask(open_one):
    """``ask(endpoint, [texts])`` gives the votes of one function of kind llm."""

    def make(where: Endpoint, texts: list[str], table: str = TABLE, **options):
        voter = open_one(table, endpoint=where.url, **{"model": "tiny", **options})
        return voter.vote(texts, 0).tolist(), dict(voter.facts())

    return make


def test_asks_with_labels_descriptions_and_examples_and_reads_the_answer(endpoint, means, tmp_path):
    from aictl.data.label.declaration import read

    path = tmp_path / "labels.toml"
    path.write_text(
        '[labels]\nweather = "the sky"\nalarm = { description = "a clock", examples = ["wake me"] }\n'
        f'[functions.one]\n{TABLE}\ninstructions = "Think of a phone."\n'
    )
    where = endpoint()
    voter = open_functions(read(path), means(endpoint=where.url, model="tiny"))["one"]
    assert voter.vote(["rain?", "set an alarm", "hello", "rain?"], 0).tolist() == [0, 1, -1, 0]
    assert len(where.asked) == 3, "equal texts are asked about once"
    asked = where.asked[0]
    assert asked["path"] == "/v1/chat/completions" and asked["headers"]["Authorization"] == f"Bearer {KEY}"
    assert asked["body"]["temperature"] == 0 and asked["body"]["model"] == "tiny"
    system, example, answer, question = asked["body"]["messages"]
    assert all(word in system["content"] for word in ("weather: the sky", "alarm: a clock", "Think of a phone."))
    assert (example["content"], answer["content"]) == ("wake me", "alarm") and question["role"] == "user"


@pytest.mark.parametrize(
    ("answer", "vote"),
    [
        ("weather", 0), ("Weather.", 0), (' "ALARM" \n', 1), ("Label: alarm", 1), ('{"label": "alarm"}', 1),
        ("<think>rain? alarm?</think>\nweather", 0), ("none", -1), ("weather or alarm", -1), ("It is weather", -1),
        ("", -1), ("other", -1), ("[" * 3000, -1), ('{"label": 3}', -1), ("weather\nalarm", -1),
    ],
)  # fmt: skip
def test_an_answer_is_a_label_or_it_is_none(endpoint, ask, answer, vote):
    votes, facts = ask(endpoint(lambda text, number: says(answer)), ["x"])
    assert votes == [vote] and facts["unparsed"] == (vote < 0 and answer != "none")


def test_never_more_questions_at_once_than_allowed(endpoint, ask):
    def slow(text: str, number: int):
        time.sleep(0.02)
        return sensible(text)

    where = endpoint(slow)
    votes, _ = ask(where, [f"rain {number}" for number in range(30)], concurrency=3)
    assert votes == [0] * 30 and 1 < where.most_at_once <= 3


def test_busy_and_broken_servers_are_asked_again(endpoint, ask):
    """The first five replies to a question: busy, broken, no JSON, a list, no text; then a good one."""
    broken = [b"<html>", b"[]", b'{"choices": [{"message": {"content": null}}]}']
    replies = [fails(429, Retry_After="0"), fails(503), *((200, {}, body) for body in broken)]
    where = endpoint(lambda text, number: replies[number - 1] if number <= len(replies) else sensible(text))
    assert ask(where, ["rain"], retries=5)[0] == [0] and len(where.asked) == 6


class Pauses(list):
    """Stands for the event that ends a pause, and notes how long each would have been."""

    def wait(self, pause_s: float) -> None:
        self.append(pause_s)

    def is_set(self) -> bool:
        return False

    def set(self) -> None:
        pass


def test_pauses_double_unless_the_server_says_how_long(endpoint, open_one, monkeypatch):
    monkeypatch.setattr(chat_client, "FIRST_PAUSE_S", 1.0)
    waits = {2: {"Retry-After": "7"}, 3: {"Retry-After": "9999"}, 4: {"Retry-After": "soon"}}
    where = endpoint(lambda text, number: (503, waits.get(number, {}), b"") if number < 6 else sensible(text))
    voter = open_one(TABLE, endpoint=where.url, model="tiny", retries=9)
    pauses = voter._client._stopped = Pauses()
    assert voter.vote(["rain"], 0).tolist() == [0]
    first, asked, most, unread, fifth = pauses
    assert (asked, most) == (7, chat_client.LONGEST_PAUSE_S)
    assert 0.5 <= first <= 1 and 4 <= unread <= 8 and 8 <= fifth <= 16


def test_what_was_answered_is_kept_and_only_the_rest_is_asked_again(endpoint, ask, tmp_path):
    texts = [f"rain {number}" for number in range(20)]
    down = endpoint(lambda text, number: sensible(text) if number <= 7 else fails(500, "boom"))
    with pytest.raises(TryLater) as told:
        ask(down, texts, retries=1, concurrency=1)
    assert told.value.exit_code == 75 and "HTTP 500 (boom); 7 answers are kept" in told.value.message
    with (tmp_path / "scratch/answers.jsonl").open("a") as file:
        file.write('{"key": "cut sho')
    up = endpoint()
    assert ask(up, texts)[0] == [0] * 20
    assert len(up.asked) == 13
    assert not any("rain" in line for line in (tmp_path / "scratch/answers.jsonl").read_text().splitlines())


def test_an_endpoint_that_is_not_there(open_one, endpoint):
    where = endpoint()
    where.close()
    voter = open_one(TABLE, endpoint=where.url, model="tiny", retries=1)
    with pytest.raises(TryLater, match=r"did not answer in 2 tries: no connection; 0 answers are kept"):
        voter.vote(["rain"], 0)


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (fails(401, "invalid_api_key"), BadRequest, "refuses the key: HTTP 401 (invalid_api_key)"),
        (fails(404, "model_not_found"), NotFound, "has no model 'tiny'"),
        (fails(302, Location="http://127.0.0.1:9/"), BadRequest, "sends elsewhere: HTTP 302"),
        (fails(405), BadRequest, "takes no completions"),
        (fails(429, "insufficient_quota"), TryLater, "has no quota left"),
        (fails(400, "context_length_exceeded"), BadRequest, "takes none of these questions: HTTP 400 (context_length"),
        (fails(400, f"about rain {KEY}"), BadRequest, "takes none of these questions: HTTP 400"),
        ((200, {}, b"x" * 3_000_000), TryLater, "longer than 1,048,576 bytes"),
    ],
)
def test_what_is_of_no_use_is_said_without_text_or_key(endpoint, ask, reply, error, said):
    where = endpoint(lambda text, number: reply)
    with pytest.raises(error) as told:
        ask(where, ["rain", "more rain", "much rain"], retries=0)
    shown = f"{told.value.message} {told.value.cure}"
    assert said in shown and KEY not in shown and "rain" not in shown


def test_a_text_that_is_declined_is_left_without_a_vote(endpoint, ask):
    where = endpoint(lambda text, number: fails(400, "content_filter") if "bad" in text else sensible(text))
    votes, facts = ask(where, ["bad", "rain", "bad too"])
    assert votes == [-1, 0, -1] and facts["declined"] == 2
    again = endpoint()
    assert ask(again, ["bad", "rain"])[0] == [-1, 0] and not again.asked


def test_a_server_that_drips_is_not_waited_for(open_one):
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not ended.wait(0.05):
            try:
                connection.sendall(b" ")
            except OSError:
                return

    threading.Thread(target=drip, daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    voter = open_one(TABLE, endpoint=url, model="tiny", retries=0, request_timeout_s=0.5)
    with pytest.raises(TryLater, match="took longer than 0.5 s"):
        voter.vote(["rain"], 0)
    ended.set()
    listener.close()


def test_long_texts_are_cut_and_counted(endpoint, ask):
    where = endpoint()
    votes, facts = ask(where, ["rain" + "x" * 100, "rain"], TABLE + "\nmax_chars = 10")
    assert votes == [0, 0] and facts["truncated"] == 1
    assert {len(one["body"]["messages"][-1]["content"]) for one in where.asked} == {10, 4}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (None, "needs an endpoint"),
        ("ftp://127.0.0.1/v1", "no URL of an API"),
        ("127.0.0.1:8000", "no URL of an API"),
        (f"http://me:{KEY}@127.0.0.1/v1", "holds a user or password"),
        ("http://[::1", "is no URL"),
    ],
)
def test_endpoints_that_cannot_be(open_one, url, said):
    with pytest.raises(BadRequest) as told:
        open_one(TABLE, endpoint=url, model="tiny")
    assert said in told.value.message and KEY not in told.value.message


def test_a_key_that_no_header_can_carry_is_not_shown(open_one, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    with pytest.raises(BadRequest) as told:
        open_one(TABLE, endpoint="http://127.0.0.1:9/v1", model="tiny")
    assert "OPENAI_API_KEY" in told.value.message and KEY not in told.value.message


def test_what_the_environment_says_and_what_goes_unencrypted(open_one, endpoint, monkeypatch):
    where = endpoint()
    monkeypatch.setenv("OPENAI_BASE_URL", where.url)
    assert open_one(TABLE, model="tiny").vote(["rain"], 0).tolist() == [0]
    notes: list[str] = []
    events = Events(lambda event: notes.append(event.message) if isinstance(event, Noted) else None)
    open_one(TABLE, endpoint="http://api.example.com/v1", model="tiny", events=events)
    open_one(TABLE, endpoint="https://api.example.com/v1", model="tiny", events=events)
    assert notes == ["texts go to api.example.com without encryption; https:// would encrypt them"]


def test_a_model_has_to_be_named(open_one):
    with pytest.raises(BadRequest, match=r"\[functions.one\]: a function of kind llm needs a model"):
        open_one(TABLE, endpoint="http://127.0.0.1:9/v1")
