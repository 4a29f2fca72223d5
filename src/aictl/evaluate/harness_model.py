"""A language model of ours as lm-evaluation-harness asks for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from aictl.inference.generator import Sampling, TextGenerator
from aictl.inference.scoring import Stretch

_AT_ONCE = 64  # requests between two words of how far it is
_USUAL_TOKENS = 256  # of an answer whose task says nothing, as in the harness's own models


class HarnessModel(TemplateLM):  # type: ignore[misc]  # lm_eval has no types here
    """``told`` hears how many requests are answered."""

    def __init__(self, generator: TextGenerator, told: Callable[[int], None]) -> None:
        super().__init__()
        self._generator, self._told = generator, told
        self._done = 0

    @property
    def eot_token_id(self) -> int:
        """What stands before a text that nothing stands before."""
        return self._generator.begin_id if self._generator.begin_id is not None else 0

    @property
    def max_length(self) -> int:
        return self._generator.context_length

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        return self._generator.encode(string)

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        """For each (texts, context, continuation) the log-likelihood of the continuation in nats, and whether it is
        what greedy decoding would give."""
        asked = [self._stretch(context, continuation) for _, context, continuation in requests]
        found: list[tuple[float, bool]] = []
        for begin in range(0, len(asked), _AT_ONCE):
            for scored in self._generator.score(asked[begin : begin + _AT_ONCE]):
                found.append((-float(scored.losses.sum()), bool(scored.likeliest.all())))
            self._tell(len(asked[begin : begin + _AT_ONCE]))
        return found

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """The log-likelihood of whole texts, in the harness's own windows."""
        found = []
        for request in requests:
            ids = self.tok_encode(request.args[0])
            windows = get_rolling_token_windows(ids, self.prefix_token_id, self.max_length, 1)
            asked = [self._stretch(*make_disjoint_window(one)) for one in windows]
            found.append(-float(sum(one.losses.sum() for one in self._generator.score(asked))) if asked else 0.0)
            self._tell(1)
        return found

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """What the model goes on with, greedily, up to one of the texts that end it."""
        found = []
        for request in requests:
            context, settings = request.args
            until = settings.get("until") or []
            stop = (until,) if isinstance(until, str) else tuple(until)
            most = int(settings.get("max_gen_toks") or _USUAL_TOKENS)
            ids = self.tok_encode(context) or [self.eot_token_id]
            ids = ids[-max(1, self.max_length - most) :]
            pieces = self._generator.generate(ids, Sampling(max_tokens=most, stop=stop))
            found.append("".join(piece.text for piece in pieces))
            self._tell(1)
        return found

    def _stretch(self, context: list[int], continuation: list[int]) -> Stretch:
        """Both as one, without what the context has no room for."""
        ids = [*context, *continuation][-(self.max_length + 1) :]
        return Stretch(ids, max(1, len(ids) - len(continuation)))

    def _tell(self, more: int) -> None:
        self._done += more
        self._told(self._done)
