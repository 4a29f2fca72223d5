"""How a request is refused: an HTTP status and OpenAI's error body, which its clients understand.

The body is ``{"error": {"message", "type", "param", "code"}}``
(https://platform.openai.com/docs/guides/error-codes).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INVALID = "invalid_request_error"
SERVER = "server_error"
RETRY_AFTER_S = 1  # a wish, not a promise: about the time of a short answer


class Refusal(Exception):
    """A request that gets no answer. Raised anywhere below the endpoints, sent by them."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = INVALID,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


def bad_key() -> Refusal:
    message = "the API key is missing or wrong; send it as 'Authorization: Bearer KEY'"
    return Refusal(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})


def unknown_model(asked: str, served: str) -> Refusal:
    shown = asked if len(asked) <= 200 else asked[:200] + "…"
    return Refusal(404, f"the model '{shown}' is not served here; '{served}' is", param="model", code="model_not_found")


def unknown_place(method: str, path: str) -> Refusal:
    return Refusal(404, f"there is nothing at {method} {path}", code="unknown_url")


def wrong_method(method: str, path: str, headers: Mapping[str, str] | None) -> Refusal:
    return Refusal(405, f"{path} does not take {method}", code="method_not_supported", headers=headers)


def body_too_large(limit_bytes: int) -> Refusal:
    message = f"the request body is larger than {limit_bytes} bytes"
    return Refusal(413, message, code="request_too_large", headers={"Connection": "close"})


def timed_out(limit_s: float) -> Refusal:
    message = f"the request took longer than {limit_s:g} s"
    return Refusal(408, message, type="timeout", code="request_timeout", headers={"Connection": "close"})


def queue_full(waiting: int) -> Refusal:
    return Refusal(
        429,
        f"the server is busy and {waiting} requests are waiting already; try again later",
        type="rate_limit_error",
        code="queue_full",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def not_ready() -> Refusal:
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return Refusal(503, "the model is not loaded yet", type=SERVER, code="model_not_ready", headers=headers)


def context_overflow(tokens: int, context_length: int, param: str) -> Refusal:
    return Refusal(
        400,
        f"the prompt has {tokens} tokens, and this model's context holds {context_length}, the answer included",
        param=param,
        code="context_length_exceeded",
    )


def stopping() -> Refusal:
    headers = {"Connection": "close"}
    return Refusal(503, "the server is stopping", type=SERVER, code="server_stopping", headers=headers)


def internal() -> Refusal:
    return Refusal(500, "the server failed to answer; its log says why", type=SERVER, code="internal_error")
