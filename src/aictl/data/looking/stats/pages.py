"""What a dataset measures, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aictl.artifacts.quantity import percent, size
from aictl.core.answer import Section, Table

BAR = 28  # cells of the longest bar
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_OF_GROUPS = {"labels": "label", "languages": "language", "sources": "source", "suffixes": "suffix"}


def sections(value: Mapping[str, Any]) -> Iterator[Section]:
    """The parts of the page, from ``facts``."""
    yield Section(f"Dataset '{value['dataset']}': {value['format']}", _splits(value))
    if value["total"]["documents"]:
        yield Section("", _repeated(value["repeated"], value["total"]["documents"]))
    turns = value.get("conversations", {}).get("turns")
    measured = {"characters": value["characters"], "words": value["words"], "turns": turns}
    there = {name: one for name, one in measured.items() if one}
    if there and len(value["splits"]) > 1:
        every = [(split, one["lengths"]["characters"]) for split, one in value["splits"].items()]
        there |= {f"characters, {split}": one for split, one in every if one}
    if there:
        yield Section("How long a document is", quantiles(there))
        rows = value["characters"]["histogram"]
        yield Section("", _bars("characters", [(_range(row), row["documents"]) for row in rows]))
    if "conversations" in value:
        yield Section("Who speaks", _roles(value["conversations"]["roles"]))
    if len(value["scripts"]) > 1:
        yield Section("Letters by script", _scripts(value["scripts"]))
    for name, what in _OF_GROUPS.items():
        if name in value and value[name]["largest"]:
            yield Section(f"{name.capitalize()}", _groups(value[name], what))
    yield from _vocabulary(value["vocabulary"])
    if value["fields"]:
        said = {name: f"in {count:,} documents" for name, count in value["fields"].items()}
        yield Section("Other fields", said)


def _splits(value: Mapping[str, Any]) -> Table:
    columns = ["split", "documents", "characters", "text", "words", "lines", "not ASCII", "shards", "on disk"]
    rows = [[name, *_split(one), one["shards"], size(one["size_bytes"])] for name, one in value["splits"].items()]
    if len(rows) > 1:
        all_of = value["splits"].values()
        shards, stored = sum(one["shards"] for one in all_of), sum(one["size_bytes"] for one in all_of)
        rows.append(["all", *_split(value["total"]), shards, size(stored)])
    return Table(columns, rows, spare=("shards", "on disk", "lines", "text"))


def _repeated(value: Mapping[str, Any], documents: int) -> dict[str, str]:
    count = value["documents"]
    said = {"say what another says": f"{count:,} documents ({percent(count / max(1, documents))})" if count else "none"}
    for split, inside in value["also_in_train"].items():
        if inside:
            said[f"{split} also in train"] = f"{inside:,} documents"
    return said


def _split(one: Mapping[str, Any]) -> list[str]:
    counts = [f"{one[name]:,}" for name in ("documents", "characters")]
    more = [f"{one[name]:,}" for name in ("words", "lines")]
    return [*counts, size(one["bytes"]), *more, percent(one["non_ascii_share"])]


def quantiles(measured: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row for each quantity, as :meth:`Lengths.to_json` says it."""
    shares = list(next(iter(measured.values()))["quantiles"])
    columns = ["in", "min", *(f"{share} %" for share in shares), "max", "mean"]
    return Table(
        columns,
        [
            [
                name,
                f"{one['min']:,}",
                *(f"{one['quantiles'][share]:,}" for share in shares),
                f"{one['max']:,}",
                _mean(one),
            ]
            for name, one in measured.items()
        ],
        spare=("1 %", "99 %", "5 %", "95 %"),
    )


def _mean(one: Mapping[str, Any]) -> str:
    return f"{one['mean']:,.0f}" if one["mean"] >= 100 else f"{one['mean']:.1f}"


def _range(row: Mapping[str, int]) -> str:
    return f"{row['from']:,} – {row['below'] - 1:,}"


def _bars(head: str, rows: Sequence[tuple[str, int]]) -> Table:
    most = max(count for _, count in rows)
    return Table([head, "documents", " "], [[name, f"{count:,}", bar(count, most)] for name, count in rows])


def bar(count: int, most: int) -> str:
    """A bar of at most ``BAR`` cells, to an eighth of a cell; what is there at all is seen."""
    eighths = max(round(8 * BAR * count / most), 1 if count else 0)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def _roles(rows: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        ["role", "turns", "characters", "characters a turn"],
        [
            [row["role"], f"{row['turns']:,}", f"{row['characters']:,}", f"{row['characters'] / row['turns']:,.0f}"]
            for row in rows
        ],
    )


def _scripts(rows: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        ["script", "letters", "share"], [[row["script"], f"{row['letters']:,}", percent(row["share"])] for row in rows]
    )


def _groups(value: Mapping[str, Any], what: str) -> Table:
    rows = [[row[what], row["documents"], row["characters"]] for row in value["largest"]]
    others = value["others"]
    if others["documents"]:
        rows.append([f"{others['at_least']:,} others", others["documents"], others["characters"]])
    total = sum(row[2] for row in rows) or 1
    return Table(
        [what, "documents", "characters", "share"],
        [[name, f"{count:,}", f"{characters:,}", percent(characters / total)] for name, count, characters in rows],
        cut=what,
    )


def _vocabulary(value: Mapping[str, Any]) -> Iterator[Section]:
    if not value["words"]:
        return
    about = "about " if value["is_estimated"] else ""
    said = {"words": f"{value['words']:,}, of which {about}{value['different']:,} are different"}
    if len(value["growth"]) > 1:
        shown = value["growth"][-5:]
        said["growth"] = ", ".join(f"{one['different']:,} of {one['words']:,}" for one in shown)
    said["most frequent"] = ", ".join(f"{row['word']} {row['count']:,}" for row in value["frequent"])
    if value["counts_too_low_by_at_most"]:
        said["counts"] = f"too low by {value['counts_too_low_by_at_most']:,} at most"
    yield Section("Words", said)
