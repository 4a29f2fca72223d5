"""The one decode loop: prompt in, pieces of text out, on whichever engine runs the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from aictl.core.errors import BadRequest
from aictl.inference.engine import CachedSequence, Engine
from aictl.inference.generator import FinishReason, Message, Piece, Sampling
from aictl.inference.sampling import Sampler
from aictl.inference.scoring import Scored, Stretch
from aictl.inference.stopping import StopStrings
from aictl.inference.tokenizer import ModelTokenizer

# A prompt is run this many tokens at a time: it bounds the memory of the logits that come with
# it (50 MB for a vocabulary of 49,152) and how long a cancelled request goes on.
PREFILL_TOKENS = 256


class EngineGenerator:
    """A :class:`~aictl.inference.generator.TextGenerator` over any engine.

    Every call has a sequence, a sampler and a token stream of its own, so that calls from several
    threads share nothing but the weights.
    """

    def __init__(self, engine: Engine, folder: Path, context_length: int) -> None:
        """``folder`` holds the tokenizer and the chat template."""
        self._tokenizer = ModelTokenizer(folder)
        self._engine = engine
        self.context_length = context_length
        self.begin_id = self._tokenizer.begin_id

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(ids)

    def render_chat(self, messages: Sequence[Message]) -> str:
        return self._tokenizer.render_chat(messages)

    def generate(
        self, prompt: Sequence[int], sampling: Sampling, cancelled: Callable[[], bool] = lambda: False
    ) -> Iterator[Piece]:
        """Generate from a prompt of token ids, piece by piece.

        A bad request is raised here and now, not at the first piece. The end token counts among
        the generated tokens. Once ``cancelled`` says so, the pieces end without a finish reason.
        """
        self._require_room(prompt)
        if sampling.max_tokens < 1:
            raise BadRequest(f"max_tokens is {sampling.max_tokens}, and must be at least 1")
        return self._pieces(list(prompt), sampling, Sampler(sampling), cancelled)

    def _pieces(
        self, prompt: list[int], sampling: Sampling, sampler: Sampler, cancelled: Callable[[], bool]
    ) -> Iterator[Piece]:
        limit = min(sampling.max_tokens, self.context_length - len(prompt))
        sequence = self._engine.open(len(prompt) + limit)
        logits = _prefill(sequence, prompt, cancelled)
        stream, stops = self._tokenizer.stream(), StopStrings(sampling.stop)
        count = 0
        finish: FinishReason | None = None
        while logits is not None and finish is None and not cancelled():
            token = sampler.choose(logits)
            count += 1
            if token in self._tokenizer.end_ids:
                finish = "stop"
                break
            text, stopped = stops.push(stream.push(token))
            if stopped:
                yield Piece(text, count, "stop")
                return
            if text:
                yield Piece(text, count)
            if count == limit:
                finish = "length"
            else:
                logits = sequence.append([token])
        if finish:
            text, stopped = stops.push(stream.rest())
            yield Piece(text if stopped else text + stops.rest(), count, "stop" if stopped else finish)

    def logits(self, ids: Sequence[int]) -> np.ndarray:
        """Next-token logits at every position: float32 array of shape (len(ids), vocabulary)."""
        if not 0 < len(ids) <= self.context_length:
            raise BadRequest(f"{len(ids)} tokens were given, and the model takes 1 to {self.context_length}")
        sequence = self._engine.open(len(ids))
        parts = [sequence.append(part, every=True) for part in _parts(list(ids))]
        return np.concatenate(parts)

    def score(self, stretches: Sequence[Stretch]) -> list[Scored]:
        """What it costs to predict each of some stretches of token ids."""
        for one in stretches:
            if not 1 <= one.start < len(one.ids) <= self.context_length + 1:
                raise BadRequest(
                    f"{len(one.ids)} tokens were given to predict those from {one.start} on, and the model's context "
                    f"holds {self.context_length}"
                )
        return self._engine.score(stretches)

    def replay(self, prompt: Sequence[int], continuation: Sequence[int]) -> Iterator[int]:
        """Run the prompt, then a given continuation one token at a time as if it had been chosen,
        and yield the likeliest next token after each."""
        sequence = self._engine.open(len(prompt) + len(continuation))
        logits = _prefill(sequence, list(prompt), lambda: False)
        assert logits is not None
        yield int(logits.argmax())
        for token in continuation:
            yield int(sequence.append([token]).argmax())

    def close(self) -> None:
        self._engine.close()

    def _require_room(self, prompt: Sequence[int]) -> None:
        if not prompt:
            raise BadRequest("the prompt is empty")
        if len(prompt) >= self.context_length:
            raise BadRequest(
                f"the prompt has {len(prompt)} tokens, and the model's context holds {self.context_length}",
                cure="shorten the prompt",
            )


def _parts(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), PREFILL_TOKENS):
        yield ids[start : start + PREFILL_TOKENS]


def _prefill(sequence: CachedSequence, prompt: list[int], cancelled: Callable[[], bool]) -> np.ndarray | None:
    """Logits after the prompt, or None if it was cancelled on the way."""
    logits = None
    for part in _parts(prompt):
        if cancelled():
            return None
        logits = sequence.append(part)
    return logits
