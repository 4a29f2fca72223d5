"""The parts of the page that show what a dataset measures and what stands in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aictl.artifacts.quantity import percent, size
from aictl.core.answer import Item
from aictl.pages.charts import Band, Bar, bars, curve, histogram, parts
from aictl.pages.markup import Child, Markup, element
from aictl.pages.pieces import Part, card, counted, named, paragraph, table, text_box, turns

Facts = Mapping[str, Any]
LEAST_GROWTH = 5  # points of a curve that is worth drawing
PARTS = 6  # of a whole that have a colour of their own
COUNTS = ("documents", "characters", "words")
MARKS = {"5": "5 % up to", "50": "half up to", "95": "95 % up to"}  # quantiles that stand out


def figures(facts: Facts, read: int | None) -> Markup:
    """The numbers that one looks for first."""
    total, splits = facts["total"], facts["splits"]
    documents = total["documents"]
    held_out = documents - splits["train"]["documents"] if "train" in splits else 0
    repeated = facts["repeated"]["documents"]
    shown = [
        ("documents", f"{documents:,}", f"{percent(documents / read)} of {read:,} read" if read else ""),
        ("text", size(total["bytes"]), f"{total['characters']:,} characters"),
        ("words", f"{total['words']:,}", f"{facts['vocabulary']['different']:,} different"),
        ("held out", f"{held_out:,}", ", ".join(name for name in splits if name != "train") or "no other split"),
        ("said twice", f"{repeated:,}", "letter for letter, within the dataset"),
    ]
    cells = [
        element("div", element("dt", name), element("dd", value, element("small", more))) for name, value, more in shown
    ]
    return element("dl", cells, class_="facts")


def lengths(facts: Facts) -> Part | None:
    measured = facts["characters"]
    if not measured:
        return None
    least, most = measured["min"], measured["max"]
    bands = [
        Band(max(row["from"], least), min(row["below"], most + 1), row["documents"]) for row in measured["histogram"]
    ]
    marks = [(name, measured["quantiles"][share]) for share, name in MARKS.items()]
    turns_of = facts.get("conversations", {}).get("turns")
    there = {"characters": measured, "words": facts["words"], "turns": turns_of}
    shares = list(measured["quantiles"])
    rows = [
        [
            name,
            f"{one['min']:,}",
            *(f"{one['quantiles'][share]:,}" for share in shares),
            f"{one['max']:,}",
            f"{one['mean']:,.0f}",
        ]
        for name, one in there.items()
        if one
    ]
    columns = ["in", "least", *(f"{share} %" for share in shares), "most", "mean"]
    return Part(
        "lengths",
        "How long a document is",
        [
            paragraph("In characters, on a logarithmic axis; the area of a bar is how many documents it stands for."),
            histogram(bands, marks, "documents by their length in characters"),
            table(columns, rows, "figures"),
        ],
    )


def splits(facts: Facts) -> Part:
    rows = [
        [name, *(f"{one[what]:,}" for what in COUNTS), size(one["bytes"]), percent(one["non_ascii_share"])]
        for name, one in facts["splits"].items()
    ]
    inside = facts["repeated"]["also_in_train"].items()
    shared = [f"{counted(count, 'document')} of {name} stand in train too." for name, count in inside if count]
    columns = ["split", *COUNTS, "text", "not ASCII"]
    return Part("splits", "Its splits", [table(columns, rows, "figures"), *map(paragraph, shared)])


def scripts(facts: Facts) -> Part | None:
    """Letters by script, and languages and labels where documents have them."""
    rows = [(row["script"], row["letters"], percent(row["share"])) for row in facts["scripts"]]
    children: list[Child] = []
    if rows:
        children += [paragraph("Letters by their script."), *_whole(rows, "letters by script")]
    for name, what in (("languages", "language"), ("labels", "label")):
        if name in facts:
            children += [element("h3", name.capitalize()), _groups(facts[name], what)]
    return Part("scripts", "What it is written in", children) if children else None


def _whole(rows: Sequence[tuple[str, int, str]], label: str) -> Iterator[Markup]:
    shown = [Bar(*row) for row in rows[:PARTS]]
    if more := rows[PARTS:]:
        count = shown.pop().value + sum(count for _, count, _ in more)
        shown.append(Bar(f"{len(more) + 1} others", count, percent(count / sum(count for _, count, _ in rows))))
    yield parts(shown, label)
    items = [element("li", _dot(at), f"{row.name} {row.said}") for at, row in enumerate(shown)]
    yield element("ul", items, class_="legend")


def _dot(number: int) -> Markup:
    square = element("rect", width=10, height=10, rx=2, class_=f"part{number}")
    return element("svg", square, viewBox="0 0 10 10", aria_hidden="true")


def sources(facts: Facts) -> Part | None:
    if not facts["sources"]["largest"]:
        return None
    return Part(
        "sources",
        "Where it is from",
        [
            paragraph("By characters of the documents of each folder, or of each file that stands in none."),
            _groups(facts["sources"], "source"),
            element("h3", "By suffix"),
            _groups(facts["suffixes"], "suffix"),
        ],
    )


def _groups(groups: Facts, what: str) -> list[Markup]:
    rows = [(row[what], row["documents"], row["characters"]) for row in groups["largest"]]
    others = groups["others"]
    total = sum(characters for *_, characters in rows) + others["characters"] or 1
    shown = [
        Bar(name, characters, f"{percent(characters / total)} · {counted(count, 'document')}")
        for name, count, characters in rows
    ]
    found = [bars(shown, f"characters by {what}")]
    if others["documents"]:
        share, count = percent(others["characters"] / total), counted(others["documents"], "document")
        found.append(paragraph(f"And {others['at_least']:,} others, with {share} of the characters in {count}."))
    return found


def speakers(facts: Facts) -> Part | None:
    if "conversations" not in facts:
        return None
    rows = facts["conversations"]["roles"]
    shown = [
        Bar(
            row["role"],
            row["characters"],
            f"{counted(row['turns'], 'turn')} of {row['characters'] / row['turns']:,.0f} characters",
        )
        for row in rows
    ]
    return Part("speakers", "Who speaks", [bars(shown, "characters by role")])


def words(facts: Facts) -> Part | None:
    found = facts["vocabulary"]
    if not found["frequent"]:
        return None
    chips = [element("li", named(row["word"]), element("span", f"{row['count']:,}")) for row in found["frequent"]]
    about = "about " if found["is_estimated"] else ""
    growth = [(row["words"], row["different"]) for row in found["growth"]]
    children: list[Child] = [
        paragraph(
            f"{found['words']:,} words, of which {about}{found['different']:,} are different. The most frequent:"
        ),
        element("ul", chips, class_="words"),
    ]
    if len(growth) >= LEAST_GROWTH:
        children += [element("h3", "How many different words there are among so many")]
        children += [curve(growth, "growth of the vocabulary", ("words", "different"))]
    return Part("words", "Its words", children)


def documents(items: Sequence[Item]) -> Part | None:
    """Some documents, drawn at random."""
    if not items:
        return None
    cards = [card(one.title, one.about, *_passages(one)) for one in items]
    return Part(
        "documents", "What stands in it", [paragraph(f"{counted(len(items), 'document')}, drawn at random."), *cards]
    )


def _passages(one: Item) -> list[Markup]:
    if any(passage.label for passage in one.passages):
        return turns([(passage.label, passage.text) for passage in one.passages])
    return [text_box(passage.text) for passage in one.passages]
