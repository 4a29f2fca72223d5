"""A model server for tests: the wire of OpenAI's chat API, with a rule in place of a model.

It answers with the beginning of the first passage that it is shown, so that a test can tell that a
passage has gone the whole way. Words in the question make it misbehave as real servers do.
"""

import json
import re
from collections.abc import Iterator

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

MODEL = "rule"
server = FastAPI()


def refusal(status: int, code: str) -> Response:
    error = {"message": f"refused: {code}", "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status)


@server.get("/v1/models/{name}")
def model(name: str) -> Response:
    if name != MODEL:
        return refusal(404, "model_not_found")
    return JSONResponse({"id": MODEL, "object": "model", "created": 0, "owned_by": "tests"})


@server.post("/v1/chat/completions")
async def chat(request: Request) -> Response:
    asked = await request.json()
    shown = asked["messages"][-1]["content"]
    question = shown.rpartition("Question: ")[2]
    passages = re.findall(r"^\[\d+\] .*\n(.*)$", shown, re.M)
    if "busy" in question:
        return refusal(429, "queue_full")
    if "narrow" in question and len(passages) > 1:
        return refusal(400, "context_length_exceeded")
    words = [*passages[0].split()[:8], f"[1] of {len(passages)}"]
    if "loop" in question:
        words += ["and so it goes on, one thing after another and then the next,"] * 1000
    return StreamingResponse(_stream(words, broken="break" in question), media_type="text/event-stream")


def _stream(words: list[str], *, broken: bool) -> Iterator[str]:
    for number, word in enumerate(words):
        if broken and number == 2:
            yield 'data: {"error": {"message": "the model broke", "type": "server_error", "code": null}}\n\n'
            return
        delta = {"index": 0, "delta": {"content": word + " "}, "finish_reason": None}
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": MODEL, "choices": [delta]}
        yield f"data: {json.dumps(chunk)}\n\n"
    yield "data: [DONE]\n\n"
