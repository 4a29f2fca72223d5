"""The app with a real model: `make test-model` serves it for as long as this takes."""

import os

import httpx
import pytest
from conftest import serving

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def real_url():
    if "OPENAI_BASE_URL" not in os.environ:
        pytest.skip("OPENAI_BASE_URL names no model server; run `make test-model`")
    with serving("app.main:app", "/healthz", MAX_TOKENS="24") as url:
        yield url


def test_the_model_is_served(real_url):
    assert httpx.get(f"{real_url}/api/status", timeout=30).json()["problem"] is None


def test_the_model_answers_with_citations(real_url, ask, own_question):
    events = ask(real_url, own_question)
    assert events[0]["passages"]
    assert events[-1] == {"done": True}, events[-1]
    assert "".join(event.get("text", "") for event in events).strip()
