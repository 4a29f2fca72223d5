"""The openai client as it comes from its package, against the server."""

from __future__ import annotations

import asyncio

import openai
import pytest


@pytest.fixture
def client(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any") as made:
        yield made


MESSAGES = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]


def test_models(client):
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").owned_by == "aictl"


def test_chat_whole_and_streamed(client):
    asked = {"model": "tiny", "messages": MESSAGES, "max_tokens": 20, "temperature": 0}
    whole = client.chat.completions.create(**asked)
    text = whole.choices[0].message.content
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(one.choices[0].delta.content or "" for one in chunks if one.choices) == text
    assert chunks[-1].usage == whole.usage
    assert whole.usage.completion_tokens == 20


def test_the_clients_stream_helper(client):
    with client.chat.completions.stream(model="tiny", messages=MESSAGES, max_tokens=5) as stream:
        kinds = [event.type for event in stream]
        final = stream.current_completion_snapshot
    assert "content.delta" in kinds
    assert final.choices[0].finish_reason == "length"


def test_completions_whole_and_streamed(client):
    asked = {"model": "tiny", "prompt": "once", "max_tokens": 20, "temperature": 0}
    text = client.completions.create(**asked).choices[0].text
    assert "".join(one.choices[0].text for one in client.completions.create(**asked, stream=True)) == text


def test_the_async_client(url):
    async def both() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any") as client:
            asked = {"model": "tiny", "messages": MESSAGES, "max_tokens": 9, "temperature": 0}
            whole = await client.chat.completions.create(**asked)
            stream = await client.chat.completions.create(**asked, stream=True)
            pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
            return [whole.choices[0].message.content, "".join(pieces)]

    whole, streamed = asyncio.run(both())
    assert whole == streamed


def test_errors_arrive_as_the_clients_own(client, start):
    with pytest.raises(openai.NotFoundError, match="not served here"):
        client.chat.completions.create(model="other", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="tiny", messages=MESSAGES, temperature=9)
    assert (refused.value.param, refused.value.code) == ("temperature", "invalid_value")
    locked = openai.OpenAI(base_url=f"{start(api_key='right')}/v1", api_key="wrong")
    with pytest.raises(openai.AuthenticationError):
        locked.models.list()
