"""From a question to an answer with citations, piece by piece.

What comes out are events, each a JSON object: ``{"passages": [...]}`` first, then ``{"text": ...}``
as the model speaks, and at the end ``{"done": true}`` or ``{"error": ...}``, a sentence for people.
"""

import logging
from collections.abc import AsyncIterator
from typing import Any

import openai

from app.retrieval import Index, Passage
from app.settings import Settings

log = logging.getLogger(__name__)

INSTRUCTIONS = (
    "You help customers. Answer the question in a few sentences, using only the numbered passages, and name the "
    "passages you used, like [1]. If they do not contain the answer, say that you do not know."
)
NOTHING_FOUND = "I found nothing about that in the documents. Perhaps other words will find it?"

# A small model may fall into a loop. Once so many characters come out a second time, it is ended.
LOOP_CHARS = 60

Event = dict[str, Any]


class Answerer:
    """Retrieval and the model, together."""

    def __init__(self, index: Index, settings: Settings) -> None:
        self._index = index
        self._settings = settings
        self._client = openai.AsyncOpenAI(
            base_url=settings.base_url, api_key=settings.api_key, timeout=settings.timeout_s, max_retries=0
        )

    async def answer(self, question: str) -> AsyncIterator[Event]:
        """The events of one answer; raises nothing, and ends with ``done`` or ``error``."""
        passages = self._index.search(question, self._settings.passages)
        yield {"passages": [{"number": n, "source": p.source, "text": p.text} for n, p in enumerate(passages, 1)]}
        if not passages:
            yield {"text": NOTHING_FOUND}
            yield {"done": True}
            return
        try:
            async for text in self._ask(question, passages):
                yield {"text": text}
            yield {"done": True}
        except openai.OpenAIError as error:
            log.warning("the model server failed: %s", error)
            yield {"error": self._explain(error)}
        except Exception:
            log.exception("an answer broke off")
            yield {"error": "The answer broke off. Please ask again."}

    async def reachable(self) -> str | None:
        """None if the model server serves the model, else a sentence that says what is wrong."""
        try:
            await self._client.with_options(timeout=5).models.retrieve(self._settings.model)
        except openai.OpenAIError as error:
            return self._explain(error)
        return None

    async def close(self) -> None:
        await self._client.close()

    async def _ask(self, question: str, passages: list[Passage]) -> AsyncIterator[str]:
        """The model's words. A passage too many for a small model's context is left out, the least
        fitting first."""
        while True:
            try:
                stream = await self._client.chat.completions.create(
                    model=self._settings.model,
                    messages=messages(question, passages),
                    max_tokens=self._settings.max_tokens,
                    temperature=0,
                    stream=True,
                )
                break
            except openai.BadRequestError as error:
                if error.code != "context_length_exceeded" or len(passages) == 1:
                    raise
                passages = passages[:-1]
        said = ""
        async with stream:  # leaving it early tells the server to stop
            async for chunk in stream:
                if chunk.choices and (text := chunk.choices[0].delta.content):
                    yield text
                    said += text
                    if said[-LOOP_CHARS:] in said[:-LOOP_CHARS]:
                        return

    def _explain(self, error: openai.OpenAIError) -> str:
        place, model = self._settings.base_url, self._settings.model
        match error:
            case openai.APITimeoutError():
                return f"The model server at {place} did not answer in time."
            case openai.APIConnectionError():
                return f"The model server at {place} cannot be reached. `make run` starts one beside the app."
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return f"The model server at {place} wants another key; set OPENAI_API_KEY."
            case openai.RateLimitError():
                return "The model is busy with other questions. Please ask again in a moment."
            case openai.NotFoundError():
                return f"The server at {place} does not serve the model '{model}'; set MODEL to one that it does."
            case openai.BadRequestError() if error.code == "context_length_exceeded":
                return "The question is too long for this model."
            case openai.APIError():
                return f"The model server refused: {error.message}"
            case _:
                return "The model server failed."


def messages(question: str, passages: list[Passage]) -> list[Any]:
    """The conversation that the model is shown."""
    numbered = "\n\n".join(f"[{n}] {p.source}\n{p.text}" for n, p in enumerate(passages, 1))
    return [
        {"role": "system", "content": INSTRUCTIONS},
        {"role": "user", "content": f"Passages:\n\n{numbered}\n\nQuestion: {question}"},
    ]
