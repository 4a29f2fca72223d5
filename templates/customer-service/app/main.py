"""The web server: the page, answers as they are spoken, and whether all is well."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, StringConstraints

from app import retrieval, settings
from app.answer import Answerer

STATIC = Path(__file__).parent / "static"
# The page loads nothing from elsewhere, and nobody may frame it.
PROTECTION = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Question(BaseModel):
    """What a customer asks."""

    question: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The index is built once, before the first request."""
    index = retrieval.read(settings.DOCUMENTS)
    app.state.index = index
    app.state.settings = settings.from_environment()
    app.state.answerer = Answerer(index, app.state.settings)
    yield
    await app.state.answerer.close()


app = FastAPI(title=settings.TITLE, lifespan=lifespan, docs_url=None, redoc_url=None)
app.mount("/static", StaticFiles(directory=STATIC), name="static")


@app.get("/", include_in_schema=False)
def page() -> FileResponse:
    return FileResponse(STATIC / "index.html", headers=PROTECTION)


@app.post("/api/answers")
async def answer(asked: Question, request: Request) -> Response:
    """An answer as lines of JSON; see ``app.answer`` for what they hold."""

    async def lines() -> AsyncIterator[str]:
        async for event in request.app.state.answerer.answer(asked.question):
            yield json.dumps(event, ensure_ascii=False) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})


@app.get("/api/status")
async def status(request: Request) -> dict[str, object]:
    """Whether the model can be asked, and what the answers come from."""
    state = request.app.state
    problem = await state.answerer.reachable()
    return {"model": state.settings.model, "problem": problem, "passages": len(state.index.passages)}


@app.get("/healthz")
def healthz() -> dict[str, str]:
    """The app itself is up; whether the model is, ``/api/status`` tells."""
    return {"status": "ok"}
