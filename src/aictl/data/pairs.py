"""The shapes in which pairs are published: what is given, and what is wanted for it.

input, output       {"input": "...", "output": "..."}
translation         {"translation": {"en": "...", "es": "..."}}, or beside each other: both are to be named
others              document and summary, article and highlights, dialogue and summary, question and answer, query and
                    positive, anchor and positive, source and target
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aictl.data.conversations import Unusable
from aictl.data.documents import Pair

NESTED = "translation"  # the field in which translations stand by their languages
SHAPES = (
    ("input", "output"),
    ("document", "summary"),
    ("article", "highlights"),
    ("dialogue", "summary"),
    ("question", "answer"),
    ("query", "positive"),
    ("anchor", "positive"),
    ("source", "target"),
)
FIELDS = (NESTED, *dict.fromkeys(name for shape in SHAPES for name in shape))


def fields_of(record: Mapping[str, Any], wanted: tuple[str | None, str | None]) -> tuple[str, str] | None:
    """The fields of a record that hold its two sides: those that are ``wanted``, or else those of the first shape that
    it has; None if it has none."""
    if wanted[0] or wanted[1]:
        named = (wanted[0] or "input", wanted[1] or "output")
        return named if set(named) <= record.keys() else None
    return next((shape for shape in SHAPES if set(shape) <= record.keys()), None)


def is_pair(record: Any, wanted: tuple[str | None, str | None]) -> bool:
    """Whether a record has both sides, whatever they are."""
    return isinstance(record, dict) and (fields_of(record, wanted) or fields_of(_inner(record), wanted)) is not None


def pair(record: Any, wanted: tuple[str | None, str | None]) -> Pair:
    """The pair that a record holds. Raises :class:`Unusable`."""
    if not isinstance(record, dict):
        raise Unusable("not a JSON object", f"it is of type {type(record).__name__}")
    inner = _inner(record)
    for one in (record, inner):
        if named := fields_of(one, wanted):
            return Pair(*(_string(one[name], name) for name in named))
    raise Unusable("no pair", unfit([*record, *inner], wanted))


def unfit(fields: Iterable[str], wanted: tuple[str | None, str | None]) -> str:
    """What to say of fields that hold no pair."""
    found = ", ".join(sorted(map(str, fields))[:8]) or "no fields"
    if wanted[0] or wanted[1]:
        looked_for = f"'{wanted[0] or 'input'}' and '{wanted[1] or 'output'}' are not both there"
        return f"found {found}; {looked_for}"
    return f"found {found}; --input-field and --output-field name both sides"


def _inner(record: Mapping[str, Any]) -> dict[str, Any]:
    inner = record.get(NESTED)
    return inner if isinstance(inner, dict) else {}


def _string(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise Unusable("not a string", f"'{field}' is of type {type(value).__name__}")
    if not value.strip():
        raise Unusable("empty side", f"'{field}'")
    return value
