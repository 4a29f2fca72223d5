"""One completion from its request to its answer, whole or as a stream.

An endpoint is a plain ASGI application: it has to hear that the client has gone while it waits for
the model, which a framework's request and response would keep from it.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aictl.core.events import Events
from aictl.inference.generator import FinishReason, Piece
from aictl.serve import refusal, replies
from aictl.serve.admission import Admission
from aictl.serve.generation import Generation
from aictl.serve.metrics import Metrics
from aictl.serve.model import ServedModel
from aictl.serve.refusal import Refusal
from aictl.serve.replies import Reply, Usage
from aictl.serve.requests import Ask, ChatAsk, CompletionAsk, read
from aictl.serve.spec import ServeSpec

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CLIENT_GONE = 499  # nginx's status for a client that closed the connection; only counted, never sent
_LINGER_BYTES = 64 * 2**20  # of a body that is too large, so much is read and dropped before it is refused
_LAST_WORDS_S = 1.0  # for telling a client that its stream is over


@dataclass
class Desk:
    """What all requests share."""

    spec: ServeSpec
    events: Events
    threads: Executor
    admission: Admission
    metrics: Metrics
    model: ServedModel | None = None  # None until it is loaded
    cut_off: int = field(default=0)  # answers that the end of the server did not let finish


class Completions:
    """``POST /v1/chat/completions`` or ``POST /v1/completions``, by the kind of request it reads."""

    def __init__(self, desk: Desk, kind: type[ChatAsk] | type[CompletionAsk]) -> None:
        self._desk = desk
        self._kind = kind

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer, unless the client goes first."""
        exchange = _Exchange(self._desk, self._kind, scope, receive, send)
        answering = asyncio.create_task(exchange.answer())
        leaving = asyncio.create_task(exchange.gone.wait())
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                exchange.status = CLIENT_GONE
        except asyncio.CancelledError:  # the server's time to drain is over
            self._desk.cut_off += 1
            await exchange.refuse(refusal.stopping())
        finally:
            leaving.cancel()
            answering.cancel()
            with suppress(asyncio.CancelledError):
                await answering
            exchange.count()


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, desk: Desk, kind: type[ChatAsk] | type[CompletionAsk], scope: Message, receive: Receive, send: Send
    ) -> None:
        self.gone = asyncio.Event()
        self.status = 0
        self._desk = desk
        self._kind = kind
        self._scope = scope
        self._receive = receive
        self._send = send
        self._began = time.perf_counter()
        self._usage = Usage()
        self._generation: Generation | None = None
        self._listening: asyncio.Task[None] | None = None

    async def answer(self) -> None:
        """Send the answer or the refusal; raises nothing but cancellation."""
        limit_s = self._desk.spec.request_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                await self._answer()
        except TimeoutError:
            await self.refuse(refusal.timed_out(limit_s))
        except Refusal as error:
            await self.refuse(error)
        except Exception as error:
            self._desk.events.noted(f"a request failed: {type(error).__name__}: {error}", "warning")
            self._desk.events.noted("".join(traceback.format_exception(error)), "detail")
            await self.refuse(refusal.internal())
        finally:
            if self._generation:
                self._generation.cancel()
            if self._listening:
                self._listening.cancel()

    def count(self) -> None:
        """Put the exchange into the metrics, once it is over."""
        metrics = self._desk.metrics
        metrics.requests.labels(self._scope["path"], str(self.status)).inc()
        metrics.prompt_tokens.inc(self._usage.prompt_tokens)
        metrics.completion_tokens.inc(self._usage.completion_tokens)
        if self.status == 200:
            metrics.seconds.observe(time.perf_counter() - self._began)

    async def _answer(self) -> None:
        ask = read(self._kind, await self._body())
        model = self._desk.model
        if model is None:
            raise refusal.not_ready()
        if ask.model != model.id:
            raise refusal.unknown_model(ask.model, model.id)
        self._listening = asyncio.create_task(self._listen())
        await self._desk.admission.enter()
        self._generation = Generation(
            model.generator,
            lambda: model.prompt(ask),
            ask.sampling(self._desk.spec.default_max_tokens),
            self._desk.threads,
            self._desk.admission.leave,
        )
        reply = Reply("chat" if isinstance(ask, ChatAsk) else "text", model.id, ask.wants_usage)
        pieces = self._pieces(self._generation)
        if ask.stream:
            await self._stream(ask, reply, pieces)
        else:
            await self._whole(reply, pieces)

    async def _whole(self, reply: Reply, pieces: AsyncIterator[Piece]) -> None:
        text, finish_reason = "", None
        async for piece in pieces:
            text += piece.text
            finish_reason = piece.finish_reason
        assert finish_reason, "a generation that was not cancelled says why it ended"
        await self._send_json(200, reply.whole(text, finish_reason, self._usage))

    async def _stream(self, ask: Ask, reply: Reply, pieces: AsyncIterator[Piece]) -> None:
        # The head waits for the first piece: until then the request can still be refused properly.
        first = await anext(pieces)
        opening = reply.opening()
        await self._start(200, b"text/event-stream; charset=utf-8", {"Cache-Control": "no-cache"})
        if opening:
            await self._more(replies.event(opening))
        finish_reason: FinishReason | None = None
        async for piece in _chain(first, pieces):
            finish_reason = piece.finish_reason
            if piece.text:
                await self._more(replies.event(reply.piece(piece.text, None)))
        ending = replies.event(reply.piece("", finish_reason))
        if ask.wants_usage:
            ending += replies.event(reply.closing(self._usage))
        await self._more(ending + replies.DONE, last=True)

    async def _pieces(self, generation: Generation) -> AsyncIterator[Piece]:
        """The generation's pieces, measured on their way."""
        seen = False
        async for piece in generation.pieces():
            self._usage.prompt_tokens = generation.prompt_tokens
            self._usage.completion_tokens = piece.tokens
            if not seen:
                seen = True
                self._desk.metrics.first_token_seconds.observe(time.perf_counter() - self._began)
            yield piece

    async def _body(self) -> bytes:
        """The request's body. Raises :class:`Refusal` 413 for one that is too large, after reading
        most of it: a client that is still sending would never see the answer."""
        limit = self._desk.spec.max_body_bytes
        headers = dict(self._scope["headers"])
        declared = headers.get(b"content-length", b"")
        if b"expect" in headers and declared.isdigit() and int(declared) > limit:
            raise refusal.body_too_large(limit)
        parts, size, more = [], 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
                await asyncio.sleep(_LAST_WORDS_S)  # to be cancelled
            part = message.get("body", b"")
            size += len(part)
            if size <= limit:
                parts.append(part)
            elif size > limit + _LINGER_BYTES:
                break
            more = message.get("more_body", False)
        if size > limit:
            raise refusal.body_too_large(limit)
        return b"".join(parts)

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone.set()

    async def refuse(self, error: Refusal) -> None:
        """Send a refusal; within a stream whose head is out already, as its last event."""
        started, self.status = self.status, error.status
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                if started:
                    await self._more(replies.event(error.body()), last=True)
                else:
                    await self._send_json(error.status, error.body(), error.headers)

    async def _send_json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        body = replies.encoded(value)
        await self._start(status, b"application/json", {**(headers or {}), "Content-Length": str(len(body))})
        await self._more(body, last=True)

    async def _start(self, status: int, content_type: bytes, headers: dict[str, str]) -> None:
        self.status = status
        pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        pairs.append((b"content-type", content_type))
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def _more(self, body: bytes, *, last: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})


async def _chain(first: Piece, rest: AsyncIterator[Piece]) -> AsyncIterator[Piece]:
    yield first
    async for piece in rest:
        yield piece
