"""How two datasets differ, as an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aictl.artifacts.dataset import Dataset
from aictl.core.answer import Document
from aictl.core.errors import WrongKind
from aictl.core.events import Events
from aictl.data.looking.diff import making
from aictl.data.looking.diff.fingerprints import Fingerprints, documents_at, fingerprints
from aictl.data.looking.diff.matching import Match, match
from aictl.data.looking.diff.pages import sections
from aictl.data.looking.shards import require_looked_at
from aictl.data.looking.showing import texts_of
from aictl.data.looking.spec import DiffSpec

WORDS = ("same", "moved", "renamed", "changed", "removed", "added")
SHOWN_CHARACTERS = 200  # of a document
BEFORE_CHARACTERS = 40  # that are shown of what two texts have in common before they part
SHOWN_DIFFERENCES = tuple(word for word in WORDS if word != "same")


def diff(before: Dataset, after: Dataset, spec: DiffSpec, events: Events) -> Document:
    """Raises :class:`WrongKind` if one dataset is of texts and the other of conversations, and :class:`Damaged` at a
    line that is no document."""
    for one in (before, after):
        require_looked_at(one, "data diff", pictures=True)
    if before.format != after.format:
        raise WrongKind(
            f"dataset '{before.label}' is of format {before.format} and '{after.label}' of {after.format}",
            cure="compare datasets of one format",
        )
    ones, others = fingerprints(before, "read before", events), fingerprints(after, "read after", events)
    value = facts((before, ones), (after, others), match(ones, others, spec.samples))
    return Document(value, sections=list(sections(value)))


def facts(before: tuple[Dataset, Fingerprints], after: tuple[Dataset, Fingerprints], found: Match) -> dict[str, Any]:
    """What differs, as JSON values."""
    counts = found.counts
    splits = list(dict.fromkeys([*before[1].splits, *after[1].splits]))
    moves = {(one, other): counts["moved", one, other] for one in splits for other in splits}
    return {
        "before": _named(*before),
        "after": _named(*after),
        "documents": {word: sum(count for (is_, *_), count in counts.items() if is_ == word) for word in WORDS},
        "splits": {split: _of_split(counts, split) for split in splits},
        "moves": [{"from": a, "to": b, "documents": count} for (a, b), count in moves.items() if count],
        "options": making.options(before[0], after[0]),
        "inputs": making.inputs(before[0], after[0]),
        "steps": making.steps(before[0], after[0]),
        "samples": _samples(before, after, found),
    }


def _named(dataset: Dataset, of: Fingerprints) -> dict[str, Any]:
    return {
        "dataset": dataset.label,
        "id": dataset.record.id if dataset.record else None,
        "command": dataset.record.command if dataset.record else None,
        "documents": len(of),
    }


def _of_split(counts: Mapping[tuple[str, str, str], int], split: str) -> dict[str, int]:
    """Documents of one split: what went out of it, what came in, what changed within."""

    def total(word: str, place: int) -> int:
        return sum(count for key, count in counts.items() if key[0] == word and key[place] == split)

    before = sum(count for (_, one, _), count in counts.items() if one == split)
    after = sum(count for (_, _, other), count in counts.items() if other == split)
    found = {word: total(word, 2 if word == "added" else 1) for word in ("removed", "added")}
    between = {(word, one == other) for word, one, other in counts if split in (one, other)}
    crossing = [word for word in ("moved", "changed") if (word, False) in between]
    out = sum(count for (word, one, other), count in counts.items() if word in crossing and one == split != other)
    into = sum(count for (word, one, other), count in counts.items() if word in crossing and other == split != one)
    return {
        "before": before,
        "after": after,
        "same": counts.get(("same", split, split), 0),
        "renamed": counts.get(("renamed", split, split), 0),
        "changed": counts.get(("changed", split, split), 0),
        "moved_out": out,
        "moved_in": into,
        **found,
    }


def _samples(
    before: tuple[Dataset, Fingerprints], after: tuple[Dataset, Fingerprints], found: Match
) -> dict[str, list[dict[str, Any]]]:
    pairs = {word: found.samples.get(word, []) for word in SHOWN_DIFFERENCES}
    every = [pair for rows in pairs.values() for pair in rows]
    ones = documents_at(*before, [one for one, _ in every if one >= 0])
    others = documents_at(*after, [other for _, other in every if other >= 0])
    return {word: [_sample(word, ones.get(a), others.get(b)) for a, b in rows] for word, rows in pairs.items()}


def _sample(word: str, one: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any]:
    """What there is to see of one document: where it was and is, and the beginning of it, or of what changed."""
    at = one or other
    assert at
    shown: dict[str, Any] = {"source": at["source"], "split": at["split"]}
    if one and other:
        names = ("source", "split")
        shown |= {f"{name}_after": other[name] for name in names if other[name] != one[name]}
    if word == "changed" and one and other:
        before, after = "\n\n".join(texts_of(one)), "\n\n".join(texts_of(other))
        start = max(0, _common(before, after) - BEFORE_CHARACTERS)
        return shown | {
            "at_character": start,
            "before": before[start : start + SHOWN_CHARACTERS],
            "after": after[start : start + SHOWN_CHARACTERS],
        }
    return shown | {"text": "\n\n".join(texts_of(at))[:SHOWN_CHARACTERS]}


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
