"""TextGenerator: the one interface in which every runtime gives out text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from aictl.inference.scoring import Scored, Stretch

Message = dict[str, str]  # {"role": "user", "content": "..."}
FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class Sampling:
    """How to choose tokens. ``temperature`` 0 is greedy. Generation ends at the model's end token,
    at one of the ``stop`` texts (left out of the output), or after ``max_tokens`` tokens."""

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Piece:
    """Text that came out, and after how many generated tokens in all. The last piece alone has a
    ``finish_reason``; its text may be empty."""

    text: str
    tokens: int
    finish_reason: FinishReason | None = None


class TextGenerator(Protocol):
    """A loaded language model. One instance generates one text at a time per call of
    ``generate``; calls from several threads are safe and are run as the runtime allows."""

    context_length: int
    begin_id: int | None
    """The token that stands before a text that nothing stands before: the model's begin token, or the end token of
    the text before."""

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...

    def render_chat(self, messages: Sequence[Message]) -> str:
        """The prompt for a conversation, by the model's own chat template.

        Raises ``BadRequest`` if the model has none.
        """
        ...

    def generate(
        self, prompt: Sequence[int], sampling: Sampling, cancelled: Callable[[], bool] = lambda: False
    ) -> Iterator[Piece]:
        """Generate from a prompt of token ids.

        Raises ``BadRequest`` if the prompt leaves no room in the context.
        """
        ...

    def logits(self, ids: Sequence[int]) -> Any:
        """Next-token logits at every position: float32 array of shape (len(ids), vocabulary)."""
        ...

    def score(self, stretches: Sequence[Stretch]) -> list[Scored]:
        """What it costs to predict each of some stretches of token ids; none may be longer than the context.

        Raises ``BadRequest`` for one that is, and for one with nothing to predict.
        """
        ...

    def replay(self, prompt: Sequence[int], continuation: Sequence[int]) -> Iterator[int]:
        """Run the prompt, then a given continuation one token at a time as if it had been chosen,
        and yield the likeliest next token after each: the cost of decoding, for measuring it."""
        ...

    def close(self) -> None: ...
