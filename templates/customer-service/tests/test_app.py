"""The app over HTTP, with a model server that follows a rule."""

import subprocess
import sys

import httpx
import pytest
from conftest import DOCUMENTS, ROOT, serving


ASKED = "How long may I return shoes?"


def said(events: list[dict]) -> str:
    return "".join(event.get("text", "") for event in events)


def test_an_answer_streams_after_its_passages(app_url, ask):
    first, *middle, last = ask(app_url, ASKED)
    assert [one["number"] for one in first["passages"]] == [1, 2, 3]
    assert first["passages"][0]["source"] == "returns.md"
    assert len(middle) > 1 and all(set(event) == {"text"} for event in middle)
    assert last == {"done": True}


def test_the_model_answers_from_the_passages_that_are_cited(app_url, ask):
    events = ask(app_url, ASKED)
    assert said(events).startswith("You can return shoes within thirty days")
    assert "[1]" in said(events)


def test_where_nothing_fits_the_model_is_not_asked(app_url, ask):
    events = ask(app_url, "Where is the moon?")
    assert events[0] == {"passages": []}
    assert "found nothing" in said(events)
    assert events[-1] == {"done": True}


@pytest.mark.parametrize(("trouble", "sentence"), [("busy", "busy with other questions"), ("break", "the model broke")])
def test_trouble_is_told_in_a_sentence(app_url, ask, trouble, sentence):
    assert sentence in ask(app_url, f"{ASKED} {trouble}")[-1]["error"]


def test_a_small_context_gets_fewer_passages(app_url, ask):
    events = ask(app_url, f"{ASKED} narrow")
    assert "of 1 " in said(events)
    assert events[-1] == {"done": True}


def test_a_model_that_repeats_itself_is_ended(app_url, ask):
    events = ask(app_url, f"{ASKED} loop")
    assert said(events).count("so it goes on") == 2
    assert events[-1] == {"done": True}


@pytest.fixture(scope="module")
def lonely_url():
    """The app where no model server listens."""
    with serving("app.main:app", "/healthz", OPENAI_BASE_URL="http://127.0.0.1:9/v1", DOCUMENTS=DOCUMENTS) as url:
        yield url


def test_a_model_server_that_is_away_is_said(lonely_url, ask):
    events = ask(lonely_url, ASKED)
    assert events[0]["passages"]
    assert "cannot be reached" in events[-1]["error"]
    assert "cannot be reached" in httpx.get(f"{lonely_url}/api/status").json()["problem"]
    assert httpx.get(f"{lonely_url}/healthz").status_code == 200


def test_a_model_that_is_not_served_is_said(model_url):
    with serving("app.main:app", "/healthz", OPENAI_BASE_URL=f"{model_url}/v1", MODEL="other") as url:
        assert "does not serve the model 'other'" in httpx.get(f"{url}/api/status").json()["problem"]


def test_status_names_the_model(app_url):
    found = httpx.get(f"{app_url}/api/status").json()
    assert (found["model"], found["problem"]) == ("rule", None)
    assert found["passages"] > 0


@pytest.mark.parametrize("body", [b"", b"{", b'{"question": ""}', b'{"question": "   "}', b'{"question": 5}', b"[]"])
def test_a_bad_question_is_refused(app_url, body):
    reply = httpx.post(f"{app_url}/api/answers", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 422


def test_a_question_that_is_too_long_is_refused(app_url):
    assert httpx.post(f"{app_url}/api/answers", json={"question": "x" * 2001}).status_code == 422


def test_the_page_and_all_that_it_needs_come_from_here(app_url):
    page = httpx.get(app_url)
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for path in ("style.css", "page.js", "icon.svg"):
        assert f"/static/{path}" in page.text
        assert httpx.get(f"{app_url}/static/{path}").status_code == 200
    assert "://" not in page.text


def test_the_health_check_of_the_image(app_url):
    def check(port: str) -> int:
        words = [sys.executable, "-m", "app.healthcheck"]
        return subprocess.run(words, cwd=ROOT, env={"UVICORN_PORT": port}, check=False).returncode

    assert check(app_url.rpartition(":")[2]) == 0
    assert check("9") == 1
