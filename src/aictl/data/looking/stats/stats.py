"""What a dataset measures, as an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aictl.artifacts.dataset import Dataset
from aictl.core.answer import Document
from aictl.core.events import Events
from aictl.data.looking.shards import require_looked_at
from aictl.data.looking.spec import StatsSpec
from aictl.data.looking.stats import pictures
from aictl.data.looking.stats.groups import Groups
from aictl.data.looking.stats.measures import Measures
from aictl.data.looking.stats.measuring import measure
from aictl.data.looking.stats.pages import sections
from aictl.data.looking.stats.repeats import shared
from aictl.data.looking.stats.scripts import SCRIPTS

MOST_GROWTH = 40  # points of the curve of different words


def stats(dataset: Dataset, spec: StatsSpec, events: Events) -> Document:
    """Raises what :func:`aictl.data.looking.stats.measuring.measure` raises."""
    require_looked_at(dataset, "data stats", pictures=True)
    if dataset.format == "image":
        value = pictures.facts(dataset, pictures.measure(dataset, events), spec.rows)
        return Document(value, sections=list(pictures.sections(value)))
    value = facts(dataset, measure(dataset, events, spec.workers), spec.rows)
    return Document(value, sections=list(sections(value)))


def facts(dataset: Dataset, splits: Mapping[str, Measures], rows: int) -> dict[str, Any]:
    """What there is to say of a dataset, as JSON values; lists of what is most frequent have ``rows`` of it."""
    whole = Measures()
    for measures in splits.values():
        whole.merge(measures)
    chat = dataset.format == "chat"
    return {
        "dataset": dataset.label,
        "id": dataset.record.id if dataset.record else None,
        "format": dataset.format,
        "splits": {split: _of_split(dataset, split, measures) for split, measures in splits.items()},
        "total": _totals(whole),
        "characters": whole.characters.to_json(),
        "words": whole.words.to_json(),
        "repeated": {
            "documents": whole.repeats.repeated,
            "also_in_train": shared({split: one.repeats for split, one in splits.items()}),
        },
        "scripts": _scripts(whole),
        "vocabulary": _vocabulary(whole, rows),
        **({"conversations": _conversations(whole)} if chat else {}),
        **{_PLURALS[name]: _groups(groups, rows, name) for name, groups in whole.groups.items() if groups.counts},
        "fields": {name: count for name, count, _ in whole.fields.largest()},
        "sources": _groups(whole.sources, rows, "source"),
        "suffixes": _groups(whole.suffixes, rows, "suffix"),
    }


_PLURALS = {"label": "labels", "language": "languages"}


def _totals(measures: Measures) -> dict[str, Any]:
    found = {name: measures.total(name) for name in ("documents", "characters", "bytes", "words", "lines")}
    characters = found["characters"]
    return found | {"non_ascii_share": round(measures.total("non_ascii") / characters, 6) if characters else 0.0}


def _of_split(dataset: Dataset, split: str, measures: Measures) -> dict[str, Any]:
    lengths = {name: getattr(measures, name).to_json(bars=False) for name in ("characters", "words")}
    return _totals(measures) | {"lengths": lengths} | _stored(dataset, split)


def _stored(dataset: Dataset, split: str) -> dict[str, int]:
    shards = dataset.shards(split)
    return {"shards": len(shards), "size_bytes": sum(path.stat().st_size for path in shards)}


def _scripts(measures: Measures) -> list[dict[str, Any]]:
    total = int(measures.letters.sum())
    rows = [(SCRIPTS[at], int(count)) for at, count in enumerate(measures.letters) if count]
    return [
        {"script": name, "letters": count, "share": round(count / total, 6)}
        for name, count in sorted(rows, key=lambda row: -row[1])
    ]


def _vocabulary(measures: Measures, rows: int) -> dict[str, Any]:
    vocabulary = measures.vocabulary
    vocabulary.note()
    return {
        "words": vocabulary.total,
        "different": vocabulary.different,
        "is_estimated": vocabulary.is_estimated,
        "counts_too_low_by_at_most": vocabulary.lost,
        "growth": [{"words": words, "different": different} for words, different in _thinned(vocabulary.growth)],
        "frequent": [{"word": word, "count": count} for word, count in vocabulary.frequent(rows)],
    }


def _thinned(points: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    step = -(-len(points) // MOST_GROWTH) or 1
    return list(reversed(list(reversed(points))[::step]))


def _conversations(measures: Measures) -> dict[str, Any]:
    turns = measures.turns.to_json()
    return {
        "turns": turns,
        "roles": [{"role": name, "turns": count, "characters": size} for name, count, size in measures.roles.largest()],
    }


def _groups(groups: Groups, rows: int, what: str) -> dict[str, Any]:
    others, count, size = groups.rest(rows)
    return {
        "largest": [{what: name, "documents": count, "characters": size} for name, count, size in groups.largest(rows)],
        "others": {"at_least": others, "documents": count, "characters": size},
    }
