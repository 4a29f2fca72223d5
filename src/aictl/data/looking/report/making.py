"""The parts of the page that tell how a dataset came to be: what each step left, dropped, changed and found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aictl.artifacts.dataset import Dataset
from aictl.data.looking.told import counts_of, read_of, steps_of
from aictl.pages.charts import Bar, Level, bars, waterfall
from aictl.pages.markup import Child, Markup, element
from aictl.pages.pieces import (
    Part,
    card,
    counted,
    named,
    opened_by,
    paragraph,
    side_by_side,
    table,
    text_box,
)

Examples = Mapping[str, Sequence[Mapping[str, str]]]
FOUND_SHOWN = 20
NEAR = "near-duplicates"  # the step whose examples are pairs of documents


def reduction(dataset: Dataset) -> Part | None:
    """What was left after each step, of the documents and of their text; the options, and what it was made of."""
    steps = steps_of(dataset)
    children: list[Child] = []
    if steps:
        read = read_of(dataset) or steps[0].documents
        documents = [Level("read", read, read), *_levels([(one.name, one.documents) for one in steps], read)]
        unit = "bytes" if dataset.format == "image" else "characters"
        first = steps[0]  # what could not be read has no characters that could be counted
        characters = list(_levels([(one.name, one.characters) for one in steps], first.characters))
        children += [
            paragraph(_files(dataset)),
            element("h3", "Documents after each step"),
            waterfall(documents, "documents after each step"),
            element("h3", f"{unit.capitalize()} after each step"),
            waterfall(characters, f"{unit} after each step"),
        ]
    children += _made_with(dataset)
    return Part("reduction", "How it came to be", children) if children else None


def _levels(rows: Sequence[tuple[str, int]], first: int) -> Iterator[Level]:
    before = first
    for name, left in rows:
        yield Level(name, left, before)
        before = left


def _files(dataset: Dataset) -> str:
    files = counts_of(dataset.metrics, "files")
    if not files:
        return "Each step takes what the one before has left."
    read = files.get("read", 0)
    said = f"{counted(read, 'file')} {'was' if read == 1 else 'were'} read"
    left_out = files.get("left_out", 0)
    return f"{said}, and {counted(left_out, 'file')} left out that hold no such documents." if left_out else f"{said}."


def _made_with(dataset: Dataset) -> Iterator[Markup]:
    if not dataset.record:
        return
    rows = [[name, element("code", named(value))] for name, value in _flat(dataset.record.spec, "")]
    yield opened_by("Options", f"of aictl {dataset.record.command.replace('.', ' ')}", table(["option", "value"], rows))
    inputs = [
        [row.role, named(row.name or row.uri or row.kind), element("code", row.id[:16])]
        for row in dataset.record.inputs
    ]
    if inputs:
        yield opened_by("Made of", counted(len(inputs), "input"), table(["as", "what", "id"], inputs))


def _flat(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, value in spec.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield path + name, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def drops(dataset: Dataset, examples: Examples) -> Part | None:
    """Why documents were dropped, step by step, with the first of each reason."""
    children: list[Child] = []
    for step in steps_of(dataset):
        if not step.dropped:
            continue
        rows = sorted(step.dropped.items(), key=lambda row: -row[1])
        children.append(element("h3", f"{step.name}: {counted(sum(step.dropped.values()), 'document')}"))
        if len(rows) > 1:
            reasons = [Bar(reason, count, f"{count:,}") for reason, count in rows]
            children.append(bars(reasons, f"documents dropped by {step.name}"))
        for reason, count in rows:
            shown = [one for one in examples.get(step.name, ()) if one.get("reason") == reason]
            if shown and step.name != NEAR:
                boxes = [card(one.get("source", ""), "", text_box(one.get("text", ""))) for one in shown]
                children.append(opened_by(reason, f"{counted(len(shown), 'example')} of {count:,}", *boxes))
    if not children:
        return None
    said = paragraph("A document is dropped by the first rule that it breaks. Of each, the first examples are kept.")
    return Part("dropped", "What was dropped, and why", [said, *children])


def changes(dataset: Dataset, examples: Examples) -> Part | None:
    """What steps changed in documents that stay: characters that were cleaned, personal data that was taken out."""
    rows: list[list[Child]] = []
    details: list[Child] = []
    for step in steps_of(dataset):
        rows += [[step.name, named(what.replace("_", " ")), f"{count:,}"] for what, count in step.changed.items()]
        shown = [one for one in examples.get(step.name, ()) if "became" in one and step.name != NEAR]
        pairs = [
            side_by_side((one.get("source", ""), one.get("text", "")), ("became", one["became"]), one.get("reason", ""))
            for one in shown
        ]
        if pairs:
            details.append(opened_by(step.name, counted(len(pairs), "example"), *pairs))
    if not rows:
        return None
    said = paragraph("Texts that were changed and kept, by what was changed; one may count for several.")
    return Part("changed", "What was changed", [said, table(["step", "what", "how many"], rows), *details])


def finds(dataset: Dataset) -> Part | None:
    """What steps came upon in documents that stay: their languages, personal data by its kind."""
    children: list[Child] = []
    for step in steps_of(dataset):
        rows = sorted(step.found.items(), key=lambda row: -row[1])
        if rows:
            chart = [Bar(name.replace("_", " "), count, f"{count:,}") for name, count in rows[:FOUND_SHOWN]]
            children += [element("h3", step.name), bars(chart, f"what {step.name} found")]
            rest = rows[FOUND_SHOWN:]
            if rest:
                more = sum(count for _, count in rest)
                children.append(paragraph(f"And {more:,} of {counted(len(rest), 'other kind')}."))
    if not children:
        return None
    said = paragraph("What was counted on the way, in the documents that stayed.")
    return Part("found", "What was found", [said, *children])


def unread(dataset: Dataset, rejected: Sequence[Mapping[str, str]]) -> Part | None:
    """What could not be read, by the reason."""
    reasons = sorted(counts_of(dataset.metrics, "rejected").items(), key=lambda row: -row[1])
    if not reasons and not rejected:
        return None
    total = sum(count for _, count in reasons) or len(rejected)
    chart = [Bar(name, count, f"{count:,}") for name, count in reasons]
    rows = [[named(one["source"]), named(one["reason"])] for one in rejected]
    more = f"the first {len(rows)} of {total:,}" if total > len(rows) else counted(total, "document")
    return Part(
        "unread",
        "What could not be read",
        [
            bars(chart, "documents that could not be read, by the reason") if chart else None,
            opened_by("Where, and why", more, table(["document", "reason"], rows)) if rows else None,
        ],
    )
