"""One question to an OpenAI-compatible endpoint, asked again while the endpoint is busy, down or confused.

Nothing that was asked or answered, and no key, is ever part of an error: what a server says about a
request may repeat it, so of its words only the status and its short code are passed on.
Shapes: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import json
import os
import random
import re
import threading
import time
from collections.abc import Sequence
from typing import Any

import httpx

from aictl.core.errors import BadRequest, NotFound, TryLater

MAX_REPLY_BYTES = 2**20
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0  # the pause doubles from the first to the longest
BUSY = frozenset({408, 409, 425, 429})
Message = dict[str, str]
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LOCAL = ("127.0.0.1", "localhost", "::1")


class Declined(Exception):
    """The endpoint does not take this one request, as it stands: too long for the model, or filtered."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"HTTP {status}{f' ({code})' if code else ''}")


class _Again(Exception):
    """Worth asking once more; ``after_s`` is how long the endpoint wants to be left alone."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class ChatClient:
    """Asks one model. May be used from several threads at once."""

    def __init__(self, endpoint: str | None, model: str, *, timeout_s: float, retries: int) -> None:
        """``endpoint`` None is that of OPENAI_BASE_URL. Raises :class:`BadRequest` if there is none,
        or it or the key cannot be used."""
        self.url = _url(endpoint or os.environ.get("OPENAI_BASE_URL"))
        self._model = model
        self._timeout_s = timeout_s
        self._retries = retries
        self._stopped = threading.Event()
        # Redirects are not followed: they could carry key and text to somebody else.
        self._client = httpx.Client(
            headers=_headers(os.environ.get("OPENAI_API_KEY")),
            timeout=httpx.Timeout(timeout_s, pool=None),
            limits=httpx.Limits(max_connections=None),
            follow_redirects=False,
        )

    @property
    def in_the_clear(self) -> str | None:
        """The host, if texts and key go to another machine without encryption."""
        return self.url.host if self.url.scheme == "http" and self.url.host not in _LOCAL else None

    def ask(self, messages: Sequence[Message], max_tokens: int) -> str:
        """The text of the answer.

        Raises :class:`Declined` for this request alone; :class:`TryLater` after the last retry;
        :class:`BadRequest` or :class:`NotFound` where asking anything is of no use.
        """
        body = {"model": self._model, "messages": list(messages), "max_tokens": max_tokens, "temperature": 0}
        data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        for attempt in range(self._retries + 1):
            try:
                return self._once(data)
            except _Again as again:
                if attempt == self._retries or self._stopped.is_set():
                    tries = f"{attempt + 1} tries" if attempt else "1 try"
                    raise TryLater(f"{self.url} did not answer in {tries}: {again}") from None
                self._pause(attempt, again.after_s)
        raise AssertionError("unreachable")

    def stop(self) -> None:
        """Let questions that wait for their next try give up."""
        self._stopped.set()

    def close(self) -> None:
        self.stop()
        self._client.close()

    def _pause(self, attempt: int, after_s: float | None) -> None:
        """As long as the endpoint asked for, or else doubling, with a random part so that many do not
        come back at once."""
        pause_s = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S) * random.uniform(0.5, 1)
        self._stopped.wait(min(after_s, LONGEST_PAUSE_S) if after_s is not None else pause_s)

    def _once(self, data: bytes) -> str:
        deadline = time.monotonic() + self._timeout_s
        try:
            with self._client.stream("POST", self.url, content=data) as reply:
                body = bytearray()
                for block in reply.iter_bytes():
                    body += block
                    if len(body) > MAX_REPLY_BYTES:
                        raise _Again(f"its answer is longer than {MAX_REPLY_BYTES:,} bytes")
                    if time.monotonic() > deadline:
                        raise _Again(f"its answer took longer than {self._timeout_s:g} s")
                status, headers = reply.status_code, reply.headers
        except httpx.TimeoutException:
            raise _Again(f"no answer within {self._timeout_s:g} s") from None
        except httpx.HTTPError as error:  # its text may hold what was sent; its name does not
            raise _Again(_plain(error)) from None
        if status != 200:
            raise self._refusal(status, headers, bytes(body))
        return _answer(bytes(body))

    def _refusal(self, status: int, headers: httpx.Headers, body: bytes) -> Exception:
        code = _code(body)
        said = f"HTTP {status}{f' ({code})' if code else ''}"
        if code == "insufficient_quota":
            return TryLater(f"{self.url} has no quota left for this key: {said}", cure="add to it, and run this again")
        if status in BUSY or status >= 500:
            return _Again(said, _retry_after(headers))
        if status == 404:
            return NotFound(
                f"{self.url} has no model '{self._model}', or is not where completions are: {said}",
                cure="--model NAME as `curl ENDPOINT/models` lists it; an endpoint usually ends in /v1",
            )
        for statuses, what, cure in _HOPELESS:
            if status in statuses:
                return BadRequest(f"{self.url} {what}: {said}", cure=cure)
        return Declined(status, code)


_HOPELESS = (
    ((401, 403), "refuses the key", "set OPENAI_API_KEY to one it knows"),
    ((405,), "takes no completions", "an endpoint usually ends in /v1"),
    (range(300, 400), "sends elsewhere", "give the address it sends to as --endpoint"),
)


def _url(endpoint: str | None) -> httpx.URL:
    """The address of chat completions. Raises :class:`BadRequest`; a password is never repeated."""
    if not endpoint:
        raise BadRequest(
            "a function of kind llm needs an endpoint",
            cure="--endpoint http://127.0.0.1:8000/v1, or run it under `aictl serve MODEL --run`",
        )
    try:
        url = httpx.URL(endpoint.rstrip("/") + "/chat/completions")
    except (httpx.InvalidURL, ValueError):
        raise BadRequest("--endpoint is no URL", cure="such as http://127.0.0.1:8000/v1") from None
    if url.userinfo:
        raise BadRequest("--endpoint holds a user or password, which would be recorded", cure="use OPENAI_API_KEY")
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise BadRequest(f"--endpoint {endpoint}: no URL of an API", cure="such as http://127.0.0.1:8000/v1")
    return url


def _headers(key: str | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if key:
        if not re.fullmatch(r"[!-~]+", key):  # h11 would show it while it complains
            raise BadRequest("OPENAI_API_KEY holds a blank, a line's end or a letter that no header can carry")
        headers["Authorization"] = f"Bearer {key}"
    return headers


def _answer(body: bytes) -> str:
    try:
        content: Any = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise _Again("what it answers is no chat completion") from None
    if not isinstance(content, str):
        raise _Again("what it answers holds no text")
    return content


def _code(body: bytes) -> str:
    """The short code of a refusal, if it has one: ``context_length_exceeded``."""
    try:
        error: Any = json.loads(body)["error"]
        code = error.get("code") or error.get("type") or ""
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds (RFC 9110 section 10.2.3; its other form, a date, is passed over)."""
    said = headers.get("retry-after", "")
    return float(said) if re.fullmatch(r"\d{1,6}(\.\d+)?", said) else None


def _plain(error: httpx.HTTPError) -> str:
    match error:
        case httpx.ConnectError():
            return "no connection"
        case httpx.RemoteProtocolError() | httpx.ReadError() | httpx.WriteError():
            return "the connection broke"
        case _:
            return type(error).__name__
