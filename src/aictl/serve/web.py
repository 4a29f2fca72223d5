"""The routes of a server, and who may use them.

What lies under ``/v1`` wants the API key, if there is one; health and metrics do not, since they
tell nothing of what was asked.
"""

from __future__ import annotations

import hmac
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from aictl.serve import refusal
from aictl.serve.endpoints import Completions, Desk, Message, Receive, Send
from aictl.serve.metrics import CONTENT_TYPE
from aictl.serve.refusal import Refusal
from aictl.serve.requests import ChatAsk, CompletionAsk


def build(desk: Desk) -> Starlette:
    """The web application over a desk."""

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_loaded(desk).body()]})

    async def model(request: Request) -> Response:
        served, asked = _loaded(desk), request.path_params["id"]
        if asked != served.id:
            raise refusal.unknown_model(asked, served.id)
        return JSONResponse(served.body())

    async def alive(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(request: Request) -> Response:
        return PlainTextResponse("ready\n") if desk.model else PlainTextResponse("loading\n", 503)

    async def metrics(request: Request) -> Response:
        return Response(desk.metrics.text(), media_type=CONTENT_TYPE)

    routes = [
        Route("/v1/models", models),
        Route("/v1/models/{id:path}", model),
        Route("/v1/chat/completions", Completions(desk, ChatAsk), methods=["POST"]),
        Route("/v1/completions", Completions(desk, CompletionAsk), methods=["POST"]),
        Route("/healthz", alive),
        Route("/readyz", ready),
        Route("/metrics", metrics),
    ]
    key = desk.spec.api_key
    return Starlette(
        routes=routes,
        middleware=[Middleware(_Guard, key=key.get_secret_value())] if key else [],
        exception_handlers={Refusal: _refused, HTTPException: _not_routed},
    )


class _Guard:
    """Lets requests below ``/v1`` pass only with the key."""

    def __init__(self, app: Any, key: str) -> None:
        self._app = app
        self._expected = key.encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/v1") and not self._known(scope):
            await _refused(None, refusal.bad_key())(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _known(self, scope: Message) -> bool:
        given = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, key = given.partition(b" ")
        # In constant time, so that the time of a refusal tells nothing of how much was right.
        return scheme.lower() == b"bearer" and hmac.compare_digest(key.strip(), self._expected)


def _loaded(desk: Desk) -> Any:
    if desk.model is None:
        raise refusal.not_ready()
    return desk.model


def _refused(request: Request | None, error: Any) -> Response:
    return JSONResponse(error.body(), error.status, headers=error.headers)


def _not_routed(request: Request, error: Any) -> Response:
    if error.status_code == 405:
        return _refused(request, refusal.wrong_method(request.method, request.url.path, error.headers))
    return _refused(request, refusal.unknown_place(request.method, request.url.path))
