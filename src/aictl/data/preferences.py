"""The shapes in which preferences are published: two ways in which a conversation goes on, of which one is better.

explicit prompt     {"prompt": "...", "chosen": "...", "rejected": "..."}, strings or messages          TRL
                    with the prompt under "question" or "instruction", and "system" before it           Orca DPO pairs
                    with whole conversations under "chosen" and "rejected"                    UltraFeedback binarized
implicit prompt     {"chosen": [...], "rejected": [...]}, whole conversations that begin alike               TRL
one string          "\\n\\nHuman: ...\\n\\nAssistant: ..." under "chosen" and "rejected"            Anthropic's HH-RLHF
scored completions  {"instruction": "...", "completions": [{"response": "...", "overall_score": 8.0}]}   UltraFeedback
"""

from __future__ import annotations

import math
import re
from itertools import takewhile
from typing import Any

from aictl.data.conversations import Unusable, messages_of
from aictl.data.documents import Message, Preference

_PROMPTS = ("prompt", "question", "instruction")
_SCORES = ("overall_score", "score")
# Every field of the shapes above, for what is read by columns.
FIELDS = (*_PROMPTS, "system", "chosen", "rejected", "completions")
_TURN = re.compile(r"\n\n(Human|Assistant):")
_SPEAKERS = {"Human": "user", "Assistant": "assistant"}


def is_preference(record: Any) -> bool:
    """Whether a record has one of the shapes above, whatever its content."""
    if not isinstance(record, dict):
        return False
    return {"chosen", "rejected"} <= record.keys() or ("completions" in record and _prompt_name(record) is not None)


def preference(record: Any) -> Preference:
    """The preference that a record holds; both ways begin with the assistant's words, and the prompt ends with others'.
    Raises :class:`Unusable`."""
    if not isinstance(record, dict):
        raise Unusable("not a JSON object", f"it is of type {type(record).__name__}")
    if not is_preference(record):
        found = ", ".join(sorted(map(str, record))[:8]) or "no fields"
        raise Unusable("no preference", f"found {found}; known are chosen and rejected, or completions with scores")
    if {"chosen", "rejected"} <= record.keys():
        ways = [_turns(record[name], "assistant") for name in ("chosen", "rejected")]
    else:
        ways = [[{"role": "assistant", "content": one}] for one in _best_and_worst(record["completions"])]
    prompt = _prompt(record)
    if ways[0] == ways[1]:
        raise Unusable("no difference", "what is chosen is what is rejected")
    if any(not way for way in ways):
        raise Unusable("empty answer", "nothing is chosen, or nothing rejected")
    if any(way[0]["role"] != "assistant" for way in ways):
        common, ways = _parted(*ways)
        prompt = _of_both(prompt, common)
    return checked(Preference(prompt, *ways))


def checked(found: Preference) -> Preference:
    """A preference that one can learn from. Raises :class:`Unusable`."""
    if not any(turn["role"] == "user" for turn in found.prompt) or found.prompt[-1]["role"] == "assistant":
        raise Unusable("no prompt", "a user's message is needed that both answer")
    for name, way in (("chosen", found.chosen), ("rejected", found.rejected)):
        if not way or way[0]["role"] != "assistant" or way[-1]["role"] != "assistant":
            raise Unusable("no answer", f"what is {name} has to begin and end with the assistant's words")
    if any(not turn["content"].strip() for turn in found.turns):
        raise Unusable("empty message")
    if found.chosen == found.rejected:
        raise Unusable("no difference", "what is chosen is what is rejected")
    return found


def _prompt_name(record: dict[str, Any]) -> str | None:
    return next((name for name in _PROMPTS if record.get(name) is not None), None)


def _prompt(record: dict[str, Any]) -> list[Message]:
    """What a record says that both ways go on from; nothing if they say it themselves."""
    name = _prompt_name(record)
    turns = _turns(record[name], "user") if name else []
    system = record.get("system")
    if turns and isinstance(system, str) and system.strip() and turns[0]["role"] != "system":
        turns.insert(0, {"role": "system", "content": system})
    return turns


def _turns(value: Any, role: str) -> list[Message]:
    """The messages of a list of them, or of a string, whose speaker is known or named in it."""
    if isinstance(value, list):
        return messages_of(value)
    if not isinstance(value, str):
        raise Unusable("not a string", f"a side is of type {type(value).__name__}")
    if not _TURN.match(value):
        return [{"role": role, "content": value}]
    _, *parts = _TURN.split(value)
    turns: list[Message] = [
        {"role": _SPEAKERS[speaker], "content": said.strip()}
        for speaker, said in zip(parts[::2], parts[1::2], strict=True)
    ]
    # A prompt may end where the assistant is about to speak.
    return turns[:-1] if turns[-1] == {"role": "assistant", "content": ""} else turns


def _parted(chosen: list[Message], rejected: list[Message]) -> tuple[list[Message], list[list[Message]]]:
    """The common beginning of two conversations, up to where the assistant speaks, and how each goes on."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(chosen, rejected, strict=False)))
    while same and chosen[same - 1]["role"] == "assistant":
        same -= 1
    if not same:
        raise Unusable("no common prompt", "what is chosen and what is rejected begin with different messages")
    return chosen[:same], [chosen[same:], rejected[same:]]


def _of_both(said: list[Message], common: list[Message]) -> list[Message]:
    """The prompt of a record that says it apart and in both conversations: they have to agree."""
    if said and said[-1]["content"].strip() != common[-1]["content"].strip():
        raise Unusable("no common prompt", "the conversations do not go on from the prompt that stands beside them")
    system = [turn for turn in said[:1] if turn["role"] == "system" and common[0]["role"] != "system"]
    return [*system, *common]


def _best_and_worst(completions: Any) -> tuple[str, str]:
    """Of answers with scores, the first of the highest and the first of the lowest."""
    rows = [one for one in completions if isinstance(one, dict)] if isinstance(completions, list) else []
    scored = [
        (score, one["response"])
        for one in rows
        if isinstance(one.get("response"), str) and (score := _score(one)) is not None
    ]
    if len(scored) < 2:
        raise Unusable("no preference", "two completions with a response and an overall_score are needed")
    best, worst = max(scored, key=lambda one: one[0]), min(scored, key=lambda one: one[0])
    if best[0] == worst[0]:
        raise Unusable("no difference", f"all completions have the score {best[0]:g}")
    return best[1], worst[1]


def _score(completion: dict[str, Any]) -> float | None:
    value = next((completion[name] for name in _SCORES if completion.get(name) is not None), None)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
