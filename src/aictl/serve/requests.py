"""What may be asked for: the bodies of OpenAI's two completion calls, as far as they are served.

Fields that would change the answer and cannot be honoured are refused, unless they ask for what
happens anyway; unknown fields are passed over, as clients send many that concern only OpenAI.
Shapes: https://platform.openai.com/docs/api-reference/chat/create and .../completions/create
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError, from_json

from aictl.inference.generator import Message, Sampling
from aictl.serve.refusal import Refusal

MAX_STOPS = 16
_COMPLETION_TOKENS = 16  # OpenAI's default for /v1/completions
_CHAT_ROLES = {"developer": "system"}  # the newer name of the same role, which few templates know

Role = Literal["system", "developer", "user", "assistant"]


class _Strict(BaseModel):
    """JSON types are taken as they are: "1" is no number and true is none either."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, frozen=True)


class StreamOptions(_Strict):
    include_usage: bool | None = None


class ChatMessage(_Strict):
    """One message; content in parts is joined, as long as every part is text."""

    role: Role
    content: str

    @field_validator("content", mode="before")
    @classmethod
    def _joined(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        texts = []
        for part in value:
            text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
            if not isinstance(text, str):
                raise PydanticCustomError("parts", "must be text, or a list of parts of type 'text' with their text")
            texts.append(text)
        return "\n".join(texts)

    def plain(self) -> Message:
        return {"role": _CHAT_ROLES.get(self.role, self.role), "content": self.content}


class _Ask(_Strict):
    """What both calls share."""

    # Field -> the values of it that ask for nothing special.
    unserved: ClassVar[dict[str, tuple[Any, ...]]] = {
        "n": (1,),
        "presence_penalty": (0,),
        "frequency_penalty": (0,),
        "logit_bias": ({},),
    }

    model: str
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def _served(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        for name, usual in cls.unserved.items():
            given = value.get(name)
            if given is not None and not any(
                given == one and isinstance(given, bool) == isinstance(one, bool) for one in usual
            ):
                raise PydanticCustomError("unserved", "is not supported by this server", {"field": name})
        return value

    @field_validator("stop", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        stops = [value] if isinstance(value, str) else value
        if isinstance(stops, list) and len(stops) > MAX_STOPS:
            raise PydanticCustomError("stops", "takes at most {limit} texts", {"limit": MAX_STOPS})
        return stops

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    def _sampling(self, max_tokens: int) -> Sampling:
        return Sampling(
            max_tokens=max_tokens,
            temperature=1.0 if self.temperature is None else self.temperature,
            top_p=1.0 if self.top_p is None else self.top_p,
            seed=None if self.seed is None else self.seed % 2**64,
            stop=tuple(one for one in self.stop or () if one),
        )


class ChatAsk(_Ask):
    """``POST /v1/chat/completions``"""

    unserved = {
        **_Ask.unserved,
        "tools": ([],),
        "functions": ([],),
        "tool_choice": ("none", "auto"),
        "logprobs": (False,),
        "response_format": ({"type": "text"},),
        "modalities": (["text"],),
    }

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None

    def sampling(self, default_max_tokens: int) -> Sampling:
        return self._sampling(self.max_completion_tokens or self.max_tokens or default_max_tokens)


class CompletionAsk(_Ask):
    """``POST /v1/completions``; the prompt is text or token ids, or a list that holds one such."""

    unserved = {**_Ask.unserved, "best_of": (1,), "echo": (False,), "logprobs": (), "suffix": ("",)}

    prompt: str | list[int]

    @field_validator("prompt", mode="wrap")
    @classmethod
    def _one(cls, value: Any, check: Any) -> Any:
        if isinstance(value, list) and value and isinstance(value[0], str | list):
            if len(value) > 1:
                raise PydanticCustomError("prompts", "must be a single prompt; send one request for each")
            value = value[0]
        try:
            return check(value)
        except ValidationError:
            raise PydanticCustomError("prompt", "must be a text or a list of token ids") from None

    def sampling(self, default_max_tokens: int) -> Sampling:
        return self._sampling(self.max_tokens or _COMPLETION_TOKENS)


Ask = ChatAsk | CompletionAsk
A = TypeVar("A", bound=_Ask)


def read(kind: type[A], body: bytes) -> A:
    """The request in a body. Raises :class:`Refusal` 400, naming the first thing that is wrong."""
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Refusal(400, f"the request body is not valid JSON: {error}", code="invalid_json") from None
    if not isinstance(value, dict):
        raise Refusal(400, "the request body must be a JSON object", code="invalid_type")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _refusal(first) from None


def _refusal(problem: Any) -> Refusal:
    param = problem.get("ctx", {}).get("field") or _place(problem["loc"])
    if problem["type"] == "missing":
        return Refusal(400, f"'{param}' is required", param=param, code="missing_required_parameter")
    said = problem["msg"][:1].lower() + problem["msg"][1:]
    code = "unsupported_parameter" if problem["type"] == "unserved" else "invalid_value"
    return Refusal(400, f"'{param}': {said}", param=param, code=code)


def _place(steps: tuple[str | int, ...]) -> str:
    """``("messages", 0, "role")`` as ``messages[0].role``."""
    place = ""
    for step in steps:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else step
    return place
