"""How two datasets differ, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aictl.core.answer import Section, Table

_SAID = {
    "same": "the same",
    "moved": "in another split",
    "renamed": "the same, from another source",
    "changed": "from the same source, changed",
    "removed": "only before",
    "added": "only after",
}


def sections(value: Mapping[str, Any]) -> Iterator[Section]:
    """The parts of the page, from ``diff.facts``."""
    before, after = value["before"], value["after"]
    names = [f"'{one['dataset']}'" for one in (before, after)]
    if names[0] == names[1] and before["id"] and after["id"]:
        names = [f"'{one['dataset']}' ({one['id'][:8]})" for one in (before, after)]
    yield Section(" and then ".join(names), _summary(value))
    yield Section("By split", _splits(value["splits"]))
    if value["moves"]:
        rows = [[row["from"], row["to"], f"{row['documents']:,}"] for row in value["moves"]]
        yield Section("Moved", Table(["from", "to", "documents"], rows))
    for name, what in (("options", "option"), ("inputs", "input"), ("steps", "step")):
        if value[name]:
            title = "Documents after each step" if what == "step" else f"Other {name}"
            yield Section(title, _differing(value[name], what))
    for word, rows in value["samples"].items():
        if rows:
            yield Section(f"{_SAID[word].capitalize()}, for example", _examples(word, rows))


def _summary(value: Mapping[str, Any]) -> Table:
    before, after = value["before"]["documents"], value["after"]["documents"]
    rows = [["before", f"{before:,}"], ["after", f"{after:,}"]]
    rows += [[_SAID[word], f"{count:,}"] for word, count in value["documents"].items()]
    return Table(["", "documents"], rows)


def _splits(splits: Mapping[str, Mapping[str, int]]) -> Table:
    names = ["before", "same", "renamed", "changed", "moved_out", "removed", "moved_in", "added", "after"]
    columns = ["split", *(name.replace("_", " ") for name in names)]
    rows = [[split, *(f"{one[name]:,}" for name in names)] for split, one in splits.items()]
    return Table(columns, rows, spare=("renamed",))


def _differing(rows: Sequence[Mapping[str, Any]], what: str) -> Table:
    return Table(
        [what, "before", "after"], [[row[what], _shown(row["before"]), _shown(row["after"])] for row in rows], cut=what
    )


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)


def _examples(word: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    if word == "changed":
        return Table(
            ["source", "was", "is"], [[row["source"], _line(row["before"]), _line(row["after"])] for row in rows]
        )
    if word == "moved":
        shown = [[row["source"], f"{row['split']} → {row['split_after']}", _line(row["text"])] for row in rows]
    elif word == "renamed":
        shown = [[row["source"], row["source_after"], _line(row["text"])] for row in rows]
    else:
        shown = [[row["source"], row["split"], _line(row["text"])] for row in rows]
    columns = ["source", "now" if word == "renamed" else "split", "text"]
    return Table(columns, shown, cut="text")


def _line(text: str, most: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
