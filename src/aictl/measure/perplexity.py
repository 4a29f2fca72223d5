"""How well a model predicts held-out text: the exponential of its mean loss per token.

Of a dataset of documents every token counts. Of conversations only the assistant's words count,
as in fine-tuning, without the marks around them; a model without a chat template reads a
conversation as its turns, one a line, and all of them count.

Documents are read in windows that do not overlap, so that the first token of a window is given
and not predicted. Perplexities are comparable only between models with the same tokenizer, over
the same windows: :func:`heldout` makes those once for all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from aictl.artifacts.dataset import Dataset
from aictl.core.errors import BadInput, BadRequest, WorkFailed
from aictl.core.events import Events, silent
from aictl.inference.generator import TextGenerator

MAX_LOSS = 700.0  # nats per token; the exponential of more is no float, and a guess is about 11


@dataclass(frozen=True)
class Window:
    """Token ids, of which those from ``start`` on are predicted."""

    ids: tuple[int, ...]
    start: int = 1

    @property
    def predicted(self) -> int:
        return len(self.ids) - self.start


def heldout(
    generator: TextGenerator, dataset: Dataset, *, tokens: int, split: str = "validation", window: int = 512
) -> list[Window]:
    """The first windows of a split that together predict at least ``tokens`` tokens, or all.

    Raises :class:`BadInput` if the split has nothing to predict, and :class:`WrongKind` for a dataset of pictures.
    """
    dataset.require_format("text", "chat", cure="name one of texts or of conversations")
    size = min(window, generator.context_length)
    windows: list[Window] = []
    total = 0
    for document in dataset.documents(split):
        for found in _windows(generator, document, size):
            windows.append(found)
            total += found.predicted
            if total >= tokens:
                return windows
    if not windows:
        raise BadInput(
            f"dataset '{dataset.label}' has nothing to predict in its split '{split}'",
            cure="prepare it with a larger --validation-fraction, or name another split",
        )
    return windows


def perplexity(
    generator: TextGenerator, windows: Sequence[Window], *, events: Events = silent, task: str = "measure perplexity"
) -> float:
    """exp of the mean negative log-likelihood (natural logarithm) of the predicted tokens.

    Raises :class:`WorkFailed` if it is no number: a model whose logits are not finite.
    """
    total = sum(window.predicted for window in windows)
    loss, done = 0.0, 0
    events.started(task, total=total, unit="tokens")
    for window in windows:
        loss += float(_losses(generator, window).sum())
        done += window.predicted
        events.advanced(task, done)
    events.finished(task)
    if not loss / total < MAX_LOSS:
        raise WorkFailed(f"the model predicts nothing: its loss is {loss / total:.4g} nats per token")
    return math.exp(loss / total)


def _losses(generator: TextGenerator, window: Window) -> np.ndarray:
    """Negative log-likelihood of each predicted token, in nats."""
    logits = generator.logits(window.ids[:-1])[window.start - 1 :]
    targets = np.array(window.ids[window.start :])
    highest = logits.max(axis=1)
    # float64 for the sum over the vocabulary: it has tens of thousands of small terms
    normaliser = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1, dtype=np.float64))
    return normaliser - logits[np.arange(len(targets)), targets]


def _windows(generator: TextGenerator, document: dict, size: int) -> Iterator[Window]:  # type: ignore[type-arg]
    if "messages" not in document:
        yield from _cut(generator.encode(document["text"]), size)
        return
    messages = document["messages"]
    for turn, message in enumerate(messages):
        if message["role"] != "assistant" or turn == 0:
            continue
        try:
            prompt = generator.render_chat(messages[:turn])
        except BadRequest:
            yield from _cut(generator.encode("\n".join(message["content"] for message in messages)), size)
            return
        before, ids = generator.encode(prompt), generator.encode(prompt + message["content"])
        # A conversation that is longer than a window loses its beginning.
        dropped = max(0, len(ids) - size)
        start = max(1, _common(before, ids) - dropped)
        if start < len(ids) - dropped:
            yield Window(tuple(ids[dropped:]), start)


def _cut(ids: list[int], size: int) -> Iterator[Window]:
    for begin in range(0, len(ids) - 1, size):
        part = ids[begin : begin + size]
        if len(part) > 1:
            yield Window(tuple(part))


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the common beginning: where the answer begins may fall inside a token."""
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length
